//! What the kernel tells unasked: interfaces come, go and are renamed; qdiscs and filters change.

use std::{io, os::fd::AsRawFd};

use rtnetlink::{
    constants::{RTMGRP_LINK, RTMGRP_TC},
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::dump::{HEADER_BYTES, messages};
use crate::error::{Kind, Result, ResultExt};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;

/// Longer than any message: what is cut off is never looked at.
const BUFFER_BYTES: usize = 32 * 1024;

/// Datagrams that are read before someone looks at what they tell.
const AT_ONCE: usize = 1024;

/// What has changed since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Interfaces.
    pub(crate) interfaces: bool,
    /// Qdiscs, classes or filters.
    pub(crate) traffic_control: bool,
    /// Anything: messages were lost.
    pub(crate) lost: bool,
}

/// Hears what changes in the network namespace of the thread that opened it.
pub(crate) struct Watch {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl Watch {
    /// Begins to listen, within an event loop.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn open() -> Result<Self> {
        let doing = || "listening to changes of interfaces";
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, RTMGRP_LINK | RTMGRP_TC))?;
            // SAFETY: the socket keeps its descriptor until it is dropped.
            let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
            registered.map_err(io::Error::from)
        };
        Ok(Self { socket: open().doing(Kind::Failed, doing)?, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Waits for a change; those that are known by then are one.
    ///
    /// # Errors
    /// The socket fails for good.
    pub(crate) async fn changed(&mut self) -> Result<Changes> {
        let doing = || "hearing of changes of interfaces";
        let mut changes = Changes::default();
        loop {
            let mut ready = self.socket.readable().await.doing(Kind::Failed, doing)?;
            for _ in 0..AT_ONCE {
                let buffer = &mut self.buffer;
                let Ok(received) = ready.try_io(|socket| receive(socket.get_ref(), buffer)) else {
                    break;
                };
                match received {
                    Ok(length) => changes.note(&self.buffer[..length]),
                    Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        changes.lost = true
                    }
                    Err(error) => return Err(error).doing(Kind::Failed, doing),
                }
            }
            if changes != Changes::default() {
                return Ok(changes);
            }
        }
    }
}

impl Changes {
    fn note(&mut self, datagram: &[u8]) {
        for message in messages(datagram) {
            match message.kind {
                RTM_NEWLINK | RTM_DELLINK => self.interfaces = true,
                _ => self.traffic_control = true,
            }
        }
        // One that does not even fit the buffer is about something.
        self.lost |= datagram.len() > HEADER_BYTES && *self == Self::default();
    }
}

fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT;
    // SAFETY: the buffer has the length that is given.
    let length =
        unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[0] = HEADER_BYTES as u8;
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes
    }

    #[test]
    fn messages_say_what_to_look_at() {
        let note = |kinds: &[u16]| {
            let mut changes = Changes::default();
            changes.note(&kinds.iter().flat_map(|kind| message(*kind)).collect::<Vec<_>>());
            (changes.interfaces, changes.traffic_control)
        };
        assert_eq!(note(&[RTM_NEWLINK]), (true, false));
        assert_eq!(note(&[RTM_DELLINK, 36]), (true, true));
        assert_eq!(note(&[44]), (false, true));
    }
}
