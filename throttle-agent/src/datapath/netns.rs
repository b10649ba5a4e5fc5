//! Tells network namespaces apart.

use std::{io, mem::size_of, net::UdpSocket, os::fd::AsRawFd};

use crate::error::{Kind, Result, ResultExt};

/// Number of the current network namespace, unique until reboot.
pub(super) fn cookie() -> Result<u64> {
    let doing = || "reading the cookie of the network namespace";
    let socket = UdpSocket::bind(("0.0.0.0", 0)).doing(Kind::Failed, doing)?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: `cookie` has the length that is given, and both outlive the call.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if outcome < 0 {
        return Err(io::Error::last_os_error()).doing(Kind::Unsupported, doing);
    }
    Ok(cookie)
}
