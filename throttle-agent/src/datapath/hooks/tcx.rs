//! TCX links (Linux 6.6 and newer), pinned so that they outlive the agent.

use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier,
    links::{FdLink, LinkError, PinnedLink},
    tc::TcAttachOptions,
};
use throttle_common::abi::Hook;

use super::{attach_type, hook_name};
use crate::{
    datapath::{
        bpf,
        interface::Interface,
        pins::Pins,
        refusal::{errno, refused},
    },
    error::{Error, Kind, Result, ResultExt},
};

/// Replaces the program of the pinned link, or attaches a new link and pins it.
///
/// A new link comes first: a program of others that ends the chain cannot hide this one.
pub(super) fn attach(
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
    pins: &Pins,
) -> Result<()> {
    let doing = || format!("attaching to {} of {}", hook_name(hook), interface.name);
    let path = pin(interface.index, hook, pins);
    if path.exists() {
        if replace(program, &path).doing(Kind::Failed, doing)? {
            return Ok(());
        }
        fs::remove_file(&path).doing(Kind::Failed, doing)?;
    }
    let options = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program
        .attach_with_options(&interface.name, attach_type(hook), options)
        .map_err(|error| cannot_attach(error, doing()))?;
    let link = program.take_link(id).doing(Kind::Failed, doing)?;
    let link = FdLink::try_from(link).doing(Kind::Failed, doing)?;
    link.pin(&path).doing(Kind::Failed, doing)?;
    Ok(())
}

/// Puts the program in the place of the one that the pinned link runs, atomically.
///
/// `false` when the link's interface is gone and the link with it.
fn replace(program: &mut SchedClassifier, path: &Path) -> Result<bool> {
    let doing = || format!("replacing the program of {}", path.display());
    let pinned = PinnedLink::from_pin(path).doing(Kind::Failed, doing)?;
    let link = FdLink::from(pinned)
        .try_into()
        .map_err(|error: LinkError| Error::from(anyhow::Error::new(error)).context(doing()))?;
    let id = match program.attach_to_link(link) {
        Ok(id) => id,
        Err(error) if errno(&error) == Some(libc::ENOLINK) => return Ok(false),
        Err(error) => return Err(refused(error, doing())),
    };
    // Dropping the link closes a descriptor; the pin holds the link.
    program.take_link(id).map(drop).doing(Kind::Failed, doing)?;
    Ok(true)
}

/// Detaches the link at once and removes its pin.
pub(super) fn detach(index: u32, hook: Hook, pins: &Pins) -> Result<()> {
    let path = pin(index, hook, pins);
    let doing = || format!("detaching {}", path.display());
    let link = match bpf::open_pin(&path) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error, doing())),
    };
    match bpf::detach_link(link.as_fd()) {
        Ok(()) => {}
        // The interface is gone and has taken the program with it.
        Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
        Err(error) => return Err(refused(error, doing())),
    }
    fs::remove_file(&path).doing(Kind::Failed, doing)
}

/// Whether a pinned link still has its interface.
pub(in crate::datapath) fn is_alive(index: u32, pins: &Pins) -> bool {
    [Hook::Ingress, Hook::Egress].into_iter().any(|hook| {
        bpf::open_pin(&pin(index, hook, pins))
            .and_then(|link| bpf::tcx_ifindex(link.as_fd()))
            .is_ok_and(|found| found.is_some())
    })
}

fn pin(index: u32, hook: Hook, pins: &Pins) -> PathBuf {
    pins.path(&format!("link-{index}-{}", hook_name(hook)))
}

/// What the kernel refused; it answers EINVAL when it does not know TCX.
fn cannot_attach(error: ProgramError, doing: String) -> Error {
    let is_unknown = errno(&error) == Some(libc::EINVAL);
    let refusal = refused(error, doing);
    if is_unknown { refusal.with_kind(Kind::Unsupported) } else { refusal }
}
