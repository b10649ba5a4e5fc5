//! PPP links without a daemon: both ends take for granted what pppd(8) would negotiate
//! (Documentation/networking/ppp_generic.rst).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use libc::{_IOR, _IOW, _IOWR, Ioctl, c_int};
use nix::pty::openpty;

use crate::netns::Namespace;

const CHANNEL_NUMBER: Ioctl = _IOR::<c_int>(b't' as u32, 55);
const ATTACH_CHANNEL: Ioctl = _IOW::<c_int>(b't' as u32, 56);
const CONNECT: Ioctl = _IOW::<c_int>(b't' as u32, 58);
const NEW_UNIT: Ioctl = _IOWR::<c_int>(b't' as u32, 62);
/// `N_PPP` of linux/tty.h: what a line receives and sends are frames.
const LINE_DISCIPLINE: c_int = 3;
/// The number of every PPPoE session.
const SESSION: u16 = 7;

/// A PPP device of 1500-byte packets, made down and without addresses; it vanishes when dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "holds the device, the channel and what carries them")]
pub struct Device {
    unit: File,
    channel: File,
    carrier: OwnedFd,
}

/// Makes two devices `ppp<number>` that are joined by a serial line, the two ends of a pseudoterminal.
pub fn serial(one: (&Namespace, u8), other: (&Namespace, u8)) -> Result<[Device; 2]> {
    let line = openpty(None, None).context("opening a pseudoterminal")?;
    let device = |(namespace, number): (&Namespace, u8), end: OwnedFd| {
        namespace.run(|| {
            request(&end, libc::TIOCSETD, LINE_DISCIPLINE).context("making a line carry PPP")?;
            Device::on(end, number)
        })?
    };
    Ok([device(one, line.master)?, device(other, line.slave)?])
}

/// Makes the device `ppp<number>`, joined to one on the host `remote` by a session through `interface`, which is
/// up.
pub fn over_ethernet(
    namespace: &Namespace,
    number: u8,
    interface: &str,
    remote: [u8; 6],
) -> Result<Device> {
    let doing = || format!("opening a session through {interface}");
    namespace.run(|| {
        let session = session(interface, remote).with_context(doing)?;
        Device::on(session, number)
    })?
}

impl Device {
    /// Makes the device of the channel of `carrier`, in the namespace of this thread.
    fn on(carrier: OwnedFd, number: u8) -> Result<Self> {
        let open = || File::options().read(true).write(true).open("/dev/ppp");
        let (channel, unit) =
            (open().context("opening /dev/ppp")?, open().context("opening /dev/ppp")?);
        let index = request(&carrier, CHANNEL_NUMBER, 0).context("asking for a channel")?;
        request(&channel, ATTACH_CHANNEL, index).context("attaching to a channel")?;
        let number = request(&unit, NEW_UNIT, number.into())
            .with_context(|| format!("making ppp{number}"))?;
        request(&channel, CONNECT, number)
            .with_context(|| format!("connecting a channel to ppp{number}"))?;
        Ok(Self { unit, channel, carrier })
    }
}

/// Makes a request whose argument is a pointer to `number`; returns what the kernel leaves there.
fn request(file: &impl AsFd, request: Ioctl, mut number: c_int) -> io::Result<c_int> {
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the number outlives the call, and every request of this module reads or writes one.
    let done = unsafe { libc::ioctl(fd, request, &raw mut number) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

/// `struct sockaddr_pppox` of linux/if_pppox.h, which is packed, with a PPPoE address.
#[repr(C)]
struct Address {
    family: [u8; 2],
    protocol: [u8; 4],
    session: [u8; 2],
    remote: [u8; 6],
    interface: [u8; libc::IFNAMSIZ],
}

/// A socket of the PPPoE session with `remote`, without discovery.
fn session(interface: &str, remote: [u8; 6]) -> Result<OwnedFd> {
    ensure!(interface.len() < libc::IFNAMSIZ, "the name is too long");
    let mut address = Address {
        family: (libc::AF_PPPOX as u16).to_ne_bytes(),
        // PX_PROTO_OE
        protocol: [0; 4],
        session: SESSION.to_be_bytes(),
        remote,
        interface: [0; libc::IFNAMSIZ],
    };
    address.interface[..interface.len()].copy_from_slice(interface.as_bytes());
    // SAFETY: the arguments are numbers.
    let fd = unsafe { libc::socket(libc::AF_PPPOX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    ensure!(fd >= 0, io::Error::last_os_error());
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let length = size_of::<Address>() as libc::socklen_t;
    // SAFETY: the address outlives the call and has the length that is given.
    let done = unsafe { libc::connect(fd, (&raw const address).cast(), length) };
    ensure!(done == 0, io::Error::last_os_error());
    Ok(socket)
}
