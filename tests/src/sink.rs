//! Receivers of UDP packets: one that only keeps the kernel from answering, one that counts.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::sys::socket::{setsockopt, sockopt};

use crate::measure::Sample;
use crate::netns::Namespace;
use crate::receiver::Receiver;
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
    receiver: Receiver,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    packets: AtomicU64,
}

impl CountingSink {
    /// Starts to count at a free port of `end`.
    pub fn bind(router: &Router, end: End, family: Family) -> Result<Self> {
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        let header_bytes = Transport::Udp.header_bytes(family);
        let mut buffer = [0; 65536];
        let take = move |socket: &UdpSocket| {
            let length = socket.recv(&mut buffer)?;
            counted.bytes.fetch_add(length as u64 + header_bytes, Ordering::Relaxed);
            counted.packets.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let receiver = Receiver::bind(router, end, family, |_| Ok(()), take)?;
        Ok(Self { receiver, counts })
    }

    /// Where to send packets that are to be counted.
    pub fn port(&self) -> u16 {
        self.receiver.port()
    }

    /// The layer-3 bytes and the packets up to now.
    pub fn sample(&self) -> Sample {
        Sample {
            at: Instant::now(),
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            packets: self.counts.packets.load(Ordering::Relaxed),
        }
    }
}
