//! TCX links (Linux 6.6 and newer), pinned so that they outlive the agent.

use std::{io, os::fd::AsFd};

use aya::programs::SchedClassifier;
use throttle_common::abi::Hook;

use super::hook_name;
use crate::{
    datapath::{bpf, interface::Interface, pins::Pins, refusal::refused, state::Position},
    error::{Error, Kind, Result, ResultExt},
    fault,
};

/// Replaces the program of the link there is, or attaches a new link and pins it.
///
/// A new link comes first: a program of others that ends the chain cannot hide this one.
pub(super) fn attach(
    program: &SchedClassifier,
    interface: &Interface,
    hook: Hook,
    pins: &Pins,
) -> Result<()> {
    let doing = || format!("attaching to {} of {}", hook_name(hook), interface.name);
    let program = program.fd().doing(Kind::Failed, doing)?.as_fd();
    let name = pin(interface.index, hook);
    // Only what can be opened can be replaced; whatever else has the name is in the way of the new pin.
    if let Ok(link) = pins.open(&name) {
        fault::before("replacing a program").map_err(|error| refused(error, doing()))?;
        match bpf::update_link(link.as_fd(), program) {
            Ok(()) => {
                pins.hold_link(&name, link);
                return Ok(());
            }
            // It was detached, or its interface is gone.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => pins.remove_one(&name),
            Err(error) => return Err(refused(error, doing())),
        }
    }
    fault::before("attaching a program").map_err(|error| refused(error, doing()))?;
    let link = bpf::attach_tcx(program, interface.index, attach_number(hook))
        .map_err(|error| cannot_attach(error, doing()))?;
    pins.add_link(&name, link).map_err(|error| refused(error, doing()))
}

/// Detaches the link at once and removes its pin.
pub(super) fn detach(index: u32, hook: Hook, pins: &Pins) -> Result<()> {
    let name = pin(index, hook);
    let doing = || format!("detaching {}", pins.path(&name).display());
    let link = match pins.open(&name) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error, doing())),
    };
    fault::before("detaching a program").map_err(|error| refused(error, doing()))?;
    match bpf::detach_link(link.as_fd()) {
        Ok(()) => {}
        // The interface is gone and has taken the program with it.
        Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
        Err(error) => return Err(refused(error, doing())),
    }
    fault::after("detaching a program");
    pins.remove_one(&name);
    Ok(())
}

/// Whether the kernel has TCX: one without it refuses to say what is attached.
pub(super) fn is_known(index: u32) -> bool {
    let asked = bpf::tcx_chain(index, attach_number(Hook::Ingress));
    !asked.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL))
}

/// Whether a pinned link still has its interface.
pub(in crate::datapath) fn is_alive(index: u32, pins: &Pins) -> bool {
    [Hook::Ingress, Hook::Egress]
        .into_iter()
        .any(|hook| read(index, hook, pins).is_some_and(|link| link.ifindex.is_some()))
}

/// Whether the pinned link of a hook is still attached to the interface.
pub(super) fn is_in_place(index: u32, hook: Hook, pins: &Pins) -> bool {
    read(index, hook, pins).is_some_and(|link| link.ifindex == Some(index))
}

/// Where the program is among all of its hook; `None` when it is gone.
pub(super) fn position(index: u32, hook: Hook, pins: &Pins) -> Result<Option<Position>> {
    let Some(link) = read(index, hook, pins) else { return Ok(None) };
    let chain = chain(index, hook)?;
    let place = chain.iter().position(|id| *id == link.id);
    Ok(place.map(|place| Position::Tcx { place: place as u32 + 1, of: chain.len() as u32 }))
}

/// Names of other instances whose program is at a hook of the interface.
pub(super) fn other_instances(index: u32, hook: Hook, pins: &Pins) -> Result<Vec<String>> {
    let chain = chain(index, hook)?;
    let others = pins
        .others()
        .into_iter()
        .filter(|other| read(index, hook, other).is_some_and(|link| chain.contains(&link.id)));
    Ok(others.map(|other| other.instance()).collect())
}

/// Ids of the links at a hook; none on a kernel without TCX.
fn chain(index: u32, hook: Hook) -> Result<Vec<u32>> {
    match bpf::tcx_chain(index, attach_number(hook)) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENODEV)) => {
            Ok(Vec::new())
        }
        found => found.map_err(|error| {
            refused(error, format!("listing the programs at {} of {index}", hook_name(hook)))
        }),
    }
}

/// The hook in `enum bpf_attach_type`.
fn attach_number(hook: Hook) -> u32 {
    match hook {
        Hook::Ingress => 46,
        Hook::Egress => 47,
    }
}

/// The link of a hook, if there is one.
fn read(index: u32, hook: Hook, pins: &Pins) -> Option<bpf::TcxLink> {
    pins.open(&pin(index, hook)).and_then(|link| bpf::tcx_link(link.as_fd())).ok()
}

/// Name of a link's pin.
fn pin(index: u32, hook: Hook) -> String {
    format!("link-{index}-{}", hook_name(hook))
}

/// What the kernel refused; it answers EINVAL when it does not know TCX.
fn cannot_attach(error: io::Error, doing: String) -> Error {
    let is_unknown = error.raw_os_error() == Some(libc::EINVAL);
    let refusal = refused(error, doing);
    if is_unknown { refusal.with_kind(Kind::Unsupported) } else { refusal }
}
