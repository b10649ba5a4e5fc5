//! Socket options whose values are structures.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use anyhow::{Context as _, Result, ensure};
use aya::Pod;

/// Reads an option, by its level and number, whose value has at least as many bytes as `T`. Errors call it `name`.
pub fn read<T: Pod + Default>(
    socket: impl AsFd,
    [level, option]: [i32; 2],
    name: &str,
) -> Result<T> {
    let mut value = T::default();
    let wanted = size_of::<T>() as libc::socklen_t;
    let mut length = wanted;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `length` bytes to `value`, which has as many and may have any.
    let outcome = unsafe {
        libc::getsockopt(socket, level, option, (&raw mut value).cast(), &raw mut length)
    };
    let known = if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    known.with_context(|| format!("reading {name} of a socket"))?;
    ensure!(length == wanted, "the kernel tells {length} bytes of {name}, {wanted} are needed");
    Ok(value)
}
