//! A UDP socket that a thread of its own reads until it is dropped.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

use crate::router::{End, Router};
use crate::traffic::Family;

/// Receives at one address and port.
#[derive(Debug)]
pub(crate) struct Receiver {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts to receive at a free port of `end`. `prepare` sets what else the socket needs, `take`
    /// receives one packet or fails as the kernel says.
    pub(crate) fn bind(
        router: &Router,
        end: End,
        family: Family,
        prepare: impl FnOnce(&UdpSocket) -> Result<()>,
        mut take: impl FnMut(&UdpSocket) -> io::Result<()> + Send + 'static,
    ) -> Result<Self> {
        let wanted = SocketAddr::new(end.address(family), 0);
        let socket = router.namespace(end).run(|| UdpSocket::bind(wanted))?;
        let socket = socket.with_context(|| format!("binding {wanted}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).context("growing the queue")?;
        prepare(&socket)?;
        let port = socket.local_addr()?.port();
        let stop = Arc::<AtomicBool>::default();
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                match take(&socket) {
                    Ok(()) => {}
                    Err(error) if is_no_packet(&error) => {}
                    Err(error) => panic!("receiving at {wanted}: {error}"),
                }
            }
        });
        Ok(Self { port, stop, thread: Some(thread) })
    }

    /// Where to send packets that are to be received.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn is_no_packet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Receives one packet for what the kernel says about it, into `space`.
pub(crate) fn control_messages(
    socket: &UdpSocket,
    space: &mut [u8],
) -> io::Result<impl Iterator<Item = ControlMessageOwned>> {
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut [], Some(space), MsgFlags::empty())?;
    Ok(message.cmsgs()?.collect::<Vec<_>>().into_iter())
}
