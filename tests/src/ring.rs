//! Frames sent from a ring shared with the kernel (`PACKET_TX_RING`): only the Ethernet header is in the
//! linear part of their buffers.

use std::io;
use std::num::NonZero;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;

use anyhow::{Context as _, Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::netns::Namespace;

const PACKET_VERSION: libc::c_int = 10;
const PACKET_TX_RING: libc::c_int = 13;
const TPACKET_V2: libc::c_int = 1;
const SEND_REQUEST: u32 = 1;
/// Where the frame begins, after `struct tpacket2_hdr`.
const HEADER_BYTES: usize = 32;
const SLOT_BYTES: usize = 2048;
const SLOTS: usize = 32;

/// A ring on one interface.
#[derive(Debug)]
pub struct Ring {
    socket: OwnedFd,
    memory: NonNull<libc::c_void>,
    next: usize,
}

impl Ring {
    /// A ring whose frames leave through `interface`.
    pub fn new(namespace: &Namespace, interface: &str) -> Result<Self> {
        let socket = namespace.run(|| bound(interface))?;
        let socket = socket.with_context(|| format!("a packet socket on {interface}"))?;
        set(&socket, PACKET_VERSION, &TPACKET_V2)?;
        // `struct tpacket_req`: block size and number, frame size and number.
        let bytes = SLOT_BYTES * SLOTS;
        set(&socket, PACKET_TX_RING, &[bytes as u32, 1, SLOT_BYTES as u32, SLOTS as u32])?;
        let (access, shared) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED);
        let length = NonZero::new(bytes).context("an empty ring")?;
        // SAFETY: a new mapping, which replaces none.
        let memory = unsafe { mmap(None, length, access, shared, &socket, 0) }?;
        Ok(Self { socket, memory, next: 0 })
    }

    /// Sends one frame; one that the hook drops is no error.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        ensure!(frame.len() <= SLOT_BYTES - HEADER_BYTES, "{} bytes are too many", frame.len());
        // SAFETY: the slot lies within the mapping, which is aligned to pages.
        unsafe {
            let slot = self.memory.as_ptr().cast::<u8>().add(self.next * SLOT_BYTES);
            slot.add(HEADER_BYTES).copy_from_nonoverlapping(frame.as_ptr(), frame.len());
            let header = slot.cast::<u32>();
            header.add(1).write_volatile(frame.len() as u32);
            header.write_volatile(SEND_REQUEST);
        }
        // SAFETY: no data is passed: the kernel takes what the ring holds.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), std::ptr::null(), 0, 0) };
        if sent < 0 {
            let error = io::Error::last_os_error();
            ensure!(error.raw_os_error() == Some(libc::ENOBUFS), "sending: {error}");
            // The kernel stays at the slot of a frame that was dropped.
            return Ok(());
        }
        self.next = (self.next + 1) % SLOTS;
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and has this length; nothing refers to it any more.
        if let Err(error) = unsafe { munmap(self.memory, SLOT_BYTES * SLOTS) } {
            eprintln!("cannot unmap a ring: {error}");
        }
    }
}

fn bound(interface: &str) -> Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    check(fd)?;
    // SAFETY: the call returned a new descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the structure is made of integers.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = if_nametoindex(interface)? as i32;
    let (pointer, length) = ((&raw const address).cast(), size_of_val(&address) as u32);
    // SAFETY: the address outlives the call and has the length that is given.
    check(unsafe { libc::bind(socket.as_raw_fd(), pointer, length) })?;
    Ok(socket)
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let (pointer, length) = ((&raw const *value).cast(), size_of::<T>() as u32);
    let fd = socket.as_raw_fd();
    // SAFETY: the value outlives the call and has the length that is given.
    check(unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, pointer, length) })
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
