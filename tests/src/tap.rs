//! Interfaces made by hand: a host at the far end of a tap device chooses how its frames lie in memory,
//! and a tun device says of what hardware type it is.

use std::fs::File;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::netns::Namespace;

/// A tap device; it vanishes when dropped.
#[derive(Debug)]
pub struct Tap(File);

/// A tun device of a chosen hardware type; it vanishes when dropped.
#[derive(Debug)]
pub struct Tun(#[expect(dead_code, reason = "holds the device")] File);

impl Tun {
    /// Makes the device `name` of the hardware type `kind`, one of `ARPHRD_*`.
    pub fn new(namespace: &Namespace, name: &str, kind: u16) -> Result<Self> {
        let file = open(namespace, name, libc::IFF_TUN | libc::IFF_NO_PI)?;
        let kind = libc::c_ulong::from(kind);
        // SAFETY: the argument is a number.
        if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETLINK, kind) } != 0 {
            let doing = || format!("making {name} an interface of type {kind}");
            return Err(io::Error::last_os_error()).with_context(doing);
        }
        Ok(Self(file))
    }
}

/// Makes a tun or tap device; it vanishes when the file is closed.
pub(crate) fn open(namespace: &Namespace, name: &str, flags: libc::c_int) -> Result<File> {
    let path = "/dev/net/tun";
    let open_file = || File::options().read(true).write(true).open(path);
    let file = namespace.run(open_file)?.with_context(|| format!("opening {path}"))?;
    let mut request =
        Request { name: [0; libc::IFNAMSIZ], flags: flags as libc::c_short, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the request outlives the call and has the length of `struct ifreq`.
    let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if made != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("making {name}"));
    }
    Ok(file)
}

/// The head of `struct ifreq` with flags.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

impl Tap {
    /// Makes the device `name`, whose driver keeps the slices of a frame as they were written.
    pub fn new(namespace: &Namespace, name: &str) -> Result<Self> {
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_NAPI | libc::IFF_NAPI_FRAGS;
        open(namespace, name, flags).map(Self)
    }

    /// Sends a frame of which only the first `linear` bytes, at least 14, are in the linear part of its
    /// buffer.
    pub fn send(&self, frame: &[u8], linear: usize) -> Result<()> {
        let (head, tail) = frame.split_at(linear);
        let slices = [IoSlice::new(head), IoSlice::new(tail)];
        let sent = (&self.0).write_vectored(&slices[..if tail.is_empty() { 1 } else { 2 }])?;
        anyhow::ensure!(sent == frame.len(), "sent {sent} of {} bytes", frame.len());
        Ok(())
    }

    /// Receives a frame; `None` when none comes within `milliseconds`.
    pub fn receive(&self, buffer: &mut [u8], milliseconds: u16) -> Result<Option<usize>> {
        use std::os::fd::AsFd as _;
        let mut waiting = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, PollTimeout::from(milliseconds))? == 0 {
            return Ok(None);
        }
        Ok(Some((&self.0).read(buffer)?))
    }
}
