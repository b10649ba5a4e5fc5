//! Receivers of UDP packets: one that only keeps the kernel from answering, one that counts.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::socket::{setsockopt, sockopt};

use crate::measure::Sample;
use crate::netns::Namespace;
use crate::router::{End, Router};
use crate::traffic::{Family, Transport};

/// The port whose packets [`discard`] takes and forgets.
pub const DISCARD_PORT: u16 = 9;

/// A socket that is never read: its small queue fills, and the kernel then drops packets for
/// [`DISCARD_PORT`] cheaply and without an ICMP answer.
pub fn discard(namespace: &Namespace) -> Result<UdpSocket> {
    let socket =
        namespace.run(|| UdpSocket::bind(("::", DISCARD_PORT)))?.context("binding the sink")?;
    setsockopt(&socket, sockopt::RcvBuf, &0).context("shrinking the sink's queue")?;
    Ok(socket)
}

/// Counts what arrives at one address and port; for rates of some ten megabits per second.
#[derive(Debug)]
pub struct CountingSink {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    bytes: AtomicU64,
    packets: AtomicU64,
}

impl CountingSink {
    /// Starts to count at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let wanted = SocketAddr::new(end.address(family), 0);
        let socket = router.namespace(end).run(|| UdpSocket::bind(wanted))?;
        let socket = socket.with_context(|| format!("binding {wanted}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20))
            .context("growing the sink's queue")?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let header_bytes = Transport::Udp.header_bytes(family);
        let counting = Arc::clone(&shared);
        let thread = Some(std::thread::spawn(move || count(&socket, &counting, header_bytes)));
        Ok(Self { address, shared, thread })
    }

    /// Where to send packets that are to be counted.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The layer-3 bytes and the packets up to now.
    pub fn sample(&self) -> Sample {
        Sample {
            at: Instant::now(),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            packets: self.shared.packets.load(Ordering::Relaxed),
        }
    }
}

impl Drop for CountingSink {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the counting thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn count(socket: &UdpSocket, shared: &Shared, header_bytes: u64) {
    let mut buffer = [0; 65536];
    while !shared.stop.load(Ordering::Relaxed) {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                shared.bytes.fetch_add(length as u64 + header_bytes, Ordering::Relaxed);
                shared.packets.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("counting sink: {error}"),
        }
    }
}
