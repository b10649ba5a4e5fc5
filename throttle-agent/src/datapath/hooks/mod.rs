//! Attaches a program to one hook of one interface.

mod clsact;
mod tcx;

use aya::programs::{SchedClassifier, TcAttachType};
use throttle_common::abi::{Hook, Link};

use super::{HookChoice, interface::Interface, pins::Pins};
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
