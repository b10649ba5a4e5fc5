//! What an interface does for the kernel: cutting large buffers into packets, and merging packets.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, ensure};

use crate::netns::Namespace;

/// An offload, by its command of linux/ethtool.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Offload {
    /// TCP buffers larger than a packet are handed to the interface.
    Tso = 0x1f,
    /// Packets that come in are merged into larger buffers.
    Gro = 0x2c,
}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// The head of `struct ifreq` with a pointer.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: *mut Value,
    rest: [u64; 2],
}

/// Turns an offload of an interface on or off.
pub fn set(namespace: &Namespace, interface: &str, offload: Offload, on: bool) -> Result<()> {
    let done = namespace.run(|| set_here(interface, offload, on))?;
    done.with_context(|| format!("setting {offload:?} of {interface} to {on}"))
}

fn set_here(interface: &str, offload: Offload, on: bool) -> Result<()> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    let mut value = Value { command: offload as u32, data: on.into() };
    let mut request = Request { name: [0; libc::IFNAMSIZ], data: &raw mut value, rest: [0; 2] };
    ensure!(interface.len() < libc::IFNAMSIZ, "the name is too long");
    request.name[..interface.len()].copy_from_slice(interface.as_bytes());
    // SAFETY: the request ends its name with 0 and points at a value that outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

/// Makes an interface cut every buffer into packets before it sends them.
pub fn segment_before_sending(namespace: &Namespace, interface: &str) -> Result<()> {
    namespace.ip(&format!("link set dev {interface} gso_max_segs 1\n"))
}
