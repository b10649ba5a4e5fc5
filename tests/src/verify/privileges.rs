//! The privileges that a program is loaded with.

use std::io;

use anyhow::{Context as _, Result, ensure};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid};

use crate::privileges::Privileges;
use crate::restrict::NOBODY;

/// What loading takes, besides a network namespace that is one's own already.
const TO_LOAD: [Capability; 3] =
    [Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON];

/// Makes the calling thread that of an unprivileged user with no capability but [`TO_LOAD`] in any set, for good.
pub fn keep_least() -> Result<()> {
    prctl::set_no_new_privs().context("setting no_new_privs")?;
    let kept: CapsHashSet = TO_LOAD.into();
    for capability in caps::read(None, CapSet::Bounding)?.difference(&kept) {
        caps::drop(None, CapSet::Bounding, *capability).context("reducing the bounding set")?;
    }
    prctl::set_keepcaps(true).context("keeping capabilities across a change of user")?;
    become_nobody().context("becoming an unprivileged user")?;
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).with_context(|| format!("clearing the {set:?} set"))?;
    }
    for set in [CapSet::Permitted, CapSet::Effective] {
        caps::set(None, set, &kept).with_context(|| format!("reducing the {set:?} set"))?;
    }
    check_least(&kept)
}

/// Changes the user of the calling thread; the C library's functions would change that of every thread.
fn become_nobody() -> io::Result<()> {
    let (id, no_groups) = (NOBODY.0, std::ptr::null::<libc::gid_t>());
    let check = |outcome| if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: the list of groups is empty.
    check(unsafe { libc::syscall(libc::SYS_setgroups, 0, no_groups) })?;
    // SAFETY: takes integers.
    check(unsafe { libc::syscall(libc::SYS_setresgid, id, id, id) })?;
    // SAFETY: takes integers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, id, id, id) })
}

fn check_least(kept: &CapsHashSet) -> Result<()> {
    let bits = kept.iter().fold(0, |bits, capability| bits | capability.bitmask());
    let least = Privileges {
        permitted: bits,
        effective: bits,
        bounding: bits,
        inheritable: 0,
        ambient: 0,
        no_new: true,
    };
    let held = Privileges::of_this_thread()?;
    ensure!(held == least, "this thread has {held:?}, and should have {least:?}");
    Ok(())
}

/// What the calling thread may do, in words.
pub fn of_this_thread() -> Result<String> {
    let held = caps::read(None, CapSet::Effective)?;
    let (user, group) = (Uid::effective(), Gid::effective());
    if user.is_root() {
        return Ok(format!("root with {} capabilities", held.len()));
    }
    let mut names: Vec<_> = held.iter().map(ToString::to_string).collect();
    names.sort();
    Ok(format!("user {user} of group {group} with {}", names.join(", ")))
}
