//! A receiver that costs next to nothing: a socket that nobody reads, for which the kernel counts what it has no room
//! for.

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context as _, Result};
use nix::sys::socket::{setsockopt, sockopt};

use crate::router::{End, Router};
use crate::socket_option;
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
        let option = [libc::SOL_SOCKET, libc::SO_MEMINFO];
        let numbers: [u32; NUMBERS] = socket_option::read(&self.socket, option, "SO_MEMINFO")?;
        Ok(numbers[DROPS])
    }
}
