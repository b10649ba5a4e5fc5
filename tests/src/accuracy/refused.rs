//! A receiver that costs next to nothing: a socket that nobody reads, for which the kernel counts what it has no room
//! for.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use crate::router::{End, Router};
use crate::traffic::Family;

/// Of `SO_MEMINFO`: how many numbers there are, and which of them counts the packets refused.
const NUMBERS: usize = 9;
const DROPS: usize = 8;

/// Counts packets to one address and port, but for the first ones, which fill its queue.
#[derive(Debug)]
pub struct RefusedPackets {
    socket: UdpSocket,
}

impl RefusedPackets {
    /// Starts to count at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let wanted = SocketAddr::new(end.address(family), 0);
        let socket = router.namespace(end).run(|| UdpSocket::bind(wanted))?;
        let socket = socket.with_context(|| format!("binding {wanted}"))?;
        setsockopt(&socket, sockopt::RcvBuf, &0).context("shrinking the queue")?;
        Ok(Self { socket })
    }

    /// Where to send packets that are to be counted.
    pub fn port(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// The packets refused by now, modulo 2^32.
    pub fn count(&self) -> Result<u32> {
        let mut numbers = [0_u32; NUMBERS];
        let mut bytes = size_of_val(&numbers) as libc::socklen_t;
        // SAFETY: the kernel writes at most as many bytes as the array has, which outlives the call.
        let answer = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                numbers.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        ensure!(answer == 0, "reading SO_MEMINFO: {}", std::io::Error::last_os_error());
        ensure!(bytes as usize == size_of_val(&numbers), "SO_MEMINFO has no count of refusals");
        Ok(numbers[DROPS])
    }
}
