//! Connections to a unix socket as another user.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::{io, ptr, thread};

use anyhow::{Context as _, Result, anyhow};

use crate::restrict::NOBODY;

/// Makes `count` connections to `socket` as an unprivileged user with `group` among its groups, who is
/// its peer for as long as they last.
pub fn connect(socket: &Path, group: u32, count: usize) -> Result<Vec<UnixStream>> {
    let connect = || {
        become_member(group).context("giving up privileges on a thread")?;
        let streams = (0..count).map(|_| UnixStream::connect(socket));
        let streams = streams.collect::<io::Result<_>>();
        streams.with_context(|| format!("connecting to {} as a member", socket.display()))
    };
    // A thread that has given up its privileges ends without them.
    let joined = thread::scope(|scope| scope.spawn(connect).join());
    joined.map_err(|_| anyhow!("a thread that was to connect has panicked"))?
}

/// Affects the calling thread alone, as the system calls do and their wrappers in libc do not.
fn become_member(group: u32) -> io::Result<()> {
    let user = NOBODY.0;
    let calls: [&dyn Fn() -> libc::c_long; 3] = [
        // SAFETY: the kernel reads one group id from a variable that outlives the call.
        &|| unsafe { libc::syscall(libc::SYS_setgroups, 1, ptr::from_ref(&group)) },
        // SAFETY: plain integers.
        &|| unsafe { libc::syscall(libc::SYS_setresgid, user, user, user) },
        // SAFETY: plain integers.
        &|| unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) },
    ];
    for call in calls {
        if call() != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
