//! What an interface does for the kernel: cutting large buffers into packets, and merging packets.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::pin::pin;

use anyhow::{Context as _, Result, ensure};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::{LinkMessageBuilder, LinkUnspec};
use tokio::runtime;

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

/// Lets buffers of TCP, in either IP version, hold up to `bytes` when they are handed to an interface and when
/// packets are merged on it. More than 64 KiB is BIG TCP.
pub fn set_largest_buffers(namespace: &Namespace, interface: &str, bytes: u32) -> Result<()> {
    let set = || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(set_largest_buffers_here(interface, bytes))
    };
    namespace.run(set)?.with_context(|| format!("giving {interface} buffers of {bytes} bytes"))
}

async fn set_largest_buffers_here(interface: &str, bytes: u32) -> Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    let sizes = [
        LinkAttribute::GsoMaxSize(bytes),
        LinkAttribute::GroMaxSize(bytes),
        LinkAttribute::GsoIpv4MaxSize(bytes),
        LinkAttribute::GroIpv4MaxSize(bytes),
    ];
    let link = LinkUnspec::new_with_name(interface);
    let change = sizes.iter().cloned().fold(link, LinkMessageBuilder::append_extra_attribute);
    handle.link().set(change.build()).execute().await?;
    let mut answers = pin!(handle.link().get().match_name(interface.to_owned()).execute());
    let link = answers.try_next().await?.context("no such interface")?;
    // A kernel takes attributes that it does not know without a word.
    let are_set = sizes.iter().all(|size| link.attributes.contains(size));
    ensure!(are_set, "the kernel has kept other sizes: {:?}", link.attributes);
    Ok(())
}
