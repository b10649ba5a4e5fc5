//! Attaches a program to one hook of one interface.

mod clsact;
mod tcx;

use std::collections::{BTreeMap, BTreeSet};

use aya::programs::{SchedClassifier, TcAttachType};
use throttle_common::abi::{Hook, Link};

use super::{HookChoice, interface::Interface, pins::Pins, state::Position};
use crate::error::Result;

pub(super) use clsact::remove_qdisc_if_unused;
pub(super) use tcx::is_alive;

/// The hooks of an interface.
pub(super) const HOOKS: [Hook; 2] = [Hook::Ingress, Hook::Egress];

/// Decides how to attach to an interface, and prepares it; returns [`Link`]'s flags.
pub(super) fn prepare(choice: HookChoice, interface: &Interface) -> Result<u32> {
    let is_tcx = match choice {
        HookChoice::Auto => tcx::is_known(interface.index),
        HookChoice::Tcx => true,
        HookChoice::Clsact => false,
    };
    if is_tcx {
        return Ok(0);
    }
    Ok(Link::CLSACT | if clsact::make_qdisc(interface)? { Link::MADE_QDISC } else { 0 })
}

/// Attaches the program to a hook of a link; what the instance has there already is replaced without a gap.
pub(super) fn attach(
    link: &Link,
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
    pins: &Pins,
) -> Result<()> {
    if link.flags & Link::CLSACT == 0 {
        return tcx::attach(program, interface, hook, pins);
    }
    let made_qdisc = link.flags & Link::MADE_QDISC != 0;
    clsact::attach(program, interface, hook, (&pins.instance(), made_qdisc))
}

/// Whether the program of a hook is still attached: others may have detached it.
pub(super) fn is_in_place(link: &Link, hook: Hook, pins: &Pins) -> Result<bool> {
    if link.flags & Link::CLSACT == 0 {
        return Ok(tcx::is_in_place(link.ifindex, hook, pins));
    }
    Ok(clsact::position(link.ifindex, hook, &pins.instance())?.is_some())
}

/// Where the program of a hook is among those of others; `None` when it is gone.
pub(super) fn position(link: &Link, hook: Hook, pins: &Pins) -> Result<Option<Position>> {
    if link.flags & Link::CLSACT == 0 {
        tcx::position(link.ifindex, hook, pins)
    } else {
        clsact::position(link.ifindex, hook, &pins.instance())
    }
}

/// Names of other instances that are attached to the interface of a link as well.
pub(super) fn other_instances(link: &Link, pins: &Pins) -> Result<BTreeSet<String>> {
    let named: BTreeMap<_, _> = pins
        .others()
        .into_iter()
        .map(|other| other.instance())
        .map(|instance| (clsact::of_instance(&instance), instance))
        .collect();
    let mut others = BTreeSet::new();
    for hook in HOOKS {
        others.extend(tcx::other_instances(link.ifindex, hook, pins)?);
        for handle in clsact::others(link.ifindex, hook, &pins.instance())? {
            let unnamed = || "(unnamed, on clsact)".to_owned();
            others.insert(named.get(&handle).cloned().unwrap_or_else(unnamed));
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
    interface.map_or(Ok(()), |interface| clsact::detach(interface, hook, &pins.instance()))
}

/// Removes the instance's filters wherever `is_known` does not know them: pins were lost that told of them.
///
/// Returns whether there were any. A qdisc that an agent has made for them goes as well.
pub(super) fn remove_strays(pins: &Pins, is_known: impl Fn(u32) -> bool) -> Result<bool> {
    let mut strays = clsact::all(&pins.instance())?;
    strays.retain(|(ifindex, ..)| !is_known(*ifindex));
    for &(ifindex, hook, handle) in &strays {
        let Some(interface) = Interface::with_index(ifindex) else { continue };
        tracing::warn!(interface = interface.name, "a filter that no link knows of is removed");
        let is_ours = clsact::is_qdisc_ours(&interface)?;
        clsact::remove(&interface, hook, handle)?;
        if is_ours {
            remove_qdisc_if_unused(&interface)?;
        }
    }
    Ok(!strays.is_empty())
}

/// Where an adopted link's filter has just been added, that of an agent before handles told whose they are.
pub(super) fn remove_older(link: &Link, interface: &Interface, hook: Hook) -> Result<()> {
    if link.flags & Link::CLSACT == 0 {
        return Ok(());
    }
    clsact::remove_older(interface, hook)
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
