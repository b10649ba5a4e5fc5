//! Attaches a program to one hook of one interface.

mod clsact;
mod tcx;

use std::collections::BTreeSet;

use aya::programs::{SchedClassifier, TcAttachType};
use throttle_common::abi::{Hook, Link};

use super::{HookChoice, interface::Interface, pins::Pins, state::Position};
use crate::error::{Kind, Result};

pub(super) use clsact::remove_qdisc_if_unused;
pub(super) use tcx::is_alive;

/// Decides how to attach to an interface, and prepares it; returns [`Link`]'s flags.
///
/// TCX is tried rather than looked up: a kernel without it refuses the first program.
pub(super) fn prepare(
    choice: HookChoice,
    program: &mut SchedClassifier,
    interface: &Interface,
    pins: &Pins,
) -> Result<u32> {
    if choice != HookChoice::Clsact {
        match tcx::attach(program, interface, Hook::Ingress, pins) {
            Ok(()) => return Ok(0),
            Err(error) if choice == HookChoice::Tcx || error.kind() != Kind::Unsupported => {
                return Err(error);
            }
            Err(_) => {}
        }
    }
    Ok(Link::CLSACT | if clsact::make_qdisc(interface)? { Link::MADE_QDISC } else { 0 })
}

/// Whether a link is new, or found in the maps of an earlier agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// [`prepare`] has just prepared it.
    New,
    /// An earlier agent has attached it, as far as it came.
    Adopted,
}

/// Attaches the program to a hook of a link; that of an adopted link is replaced without a gap.
pub(super) fn attach(
    (link, origin): (&Link, Origin),
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
    pins: &Pins,
) -> Result<()> {
    if link.flags & Link::CLSACT == 0 {
        return tcx::attach(program, interface, hook, pins);
    }
    match origin {
        Origin::New => clsact::attach(program, interface, hook),
        Origin::Adopted => clsact::adopt(program, interface, hook),
    }
}

/// Whether the program of a hook is still attached: others may have detached it.
pub(super) fn is_in_place(link: &Link, hook: Hook, pins: &Pins) -> Result<bool> {
    if link.flags & Link::CLSACT == 0 {
        return Ok(tcx::is_in_place(link.ifindex, hook, pins));
    }
    Ok(clsact::position(link.ifindex, hook)?.is_some())
}

/// Where the program of a hook is among those of others; `None` when it is gone.
pub(super) fn position(link: &Link, hook: Hook, pins: &Pins) -> Result<Option<Position>> {
    if link.flags & Link::CLSACT == 0 {
        tcx::position(link.ifindex, hook, pins)
    } else {
        clsact::position(link.ifindex, hook)
    }
}

/// Names of other instances that are attached to the interface of a link as well.
pub(super) fn other_instances(link: &Link, pins: &Pins) -> Result<BTreeSet<String>> {
    let mut others = BTreeSet::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        others.extend(tcx::other_instances(link.ifindex, hook, pins)?);
        // A filter does not say whose it is; that of this instance is its link.
        if link.flags & Link::CLSACT == 0 && clsact::position(link.ifindex, hook)?.is_some() {
            others.insert("(unnamed, on clsact)".to_owned());
        }
    }
    Ok(others)
}

/// Detaches the program of a hook; it may be gone already.
pub(super) fn detach(
    link: &Link,
    interface: Option<&Interface>,
    hook: Hook,
    pins: &Pins,
) -> Result<()> {
    if link.flags & Link::CLSACT == 0 {
        return tcx::detach(link.ifindex, hook, pins);
    }
    interface.map_or(Ok(()), |interface| clsact::detach(interface, hook))
}

fn attach_type(hook: Hook) -> TcAttachType {
    match hook {
        Hook::Ingress => TcAttachType::Ingress,
        Hook::Egress => TcAttachType::Egress,
    }
}

fn hook_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Ingress => "ingress",
        Hook::Egress => "egress",
    }
}
