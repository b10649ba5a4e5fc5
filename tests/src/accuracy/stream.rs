//! Packets of many hosts at once, from one thread per CPU.
//!
//! What is due is handed to the kernel as one UDP GSO packet, which the sender's interface cuts into packets
//! again: what is sent are single packets, at a fraction of the cost of a system call for each.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use nix::sys::socket::{setsockopt, sockopt};

use crate::flood::pin_to;
use crate::router::{End, Router};
use crate::traffic::{Family, Transport};

/// Packets handed to the kernel in one call, which are fewer than it takes and fit into 64 KiB.
const MOST_SEGMENTS: u64 = 32;
/// How long a thread waits for the next packet to be due.
const PAUSE: Duration = Duration::from_micros(200);
/// Streams end by themselves after this time, whatever their owner does.
const LONGEST: Duration = Duration::from_secs(600);

/// Packets from one end to another, at one rate and from one CPU.
#[derive(Debug)]
pub struct Stream {
    sockets: Vec<UdpSocket>,
    payload_bytes: usize,
    packets_per_second: f64,
    /// How long after the others of its CPU it starts.
    starts_after: Duration,
    sent: u64,
    /// The sum of this and other streams of one row.
    total: Arc<AtomicU64>,
}

impl Stream {
    /// Prepares `flows` flows of packets with `packet_bytes` bytes of layer 3, all together at one rate.
    pub fn new(
        router: &Router,
        [from, to]: [End; 2],
        (family, port): (Family, u16),
        packet_bytes: u64,
        flows: usize,
        packets_per_second: f64,
    ) -> Result<Self> {
        let payload_bytes =
            usize::try_from(packet_bytes.saturating_sub(Transport::Udp.header_bytes(family)))?;
        let to = SocketAddr::new(to.address(family), port);
        let socket = |_| {
            let from_any_port = SocketAddr::new(from.address(family), 0);
            let socket = router.namespace(from).run(|| UdpSocket::bind(from_any_port))?;
            let socket = socket.with_context(|| format!("binding {from_any_port}"))?;
            socket.connect(to).with_context(|| format!("connecting to {to}"))?;
            setsockopt(&socket, sockopt::SndBuf, &(4 << 20)).context("growing the send buffer")?;
            let segment_bytes = i32::try_from(payload_bytes)?;
            setsockopt(&socket, sockopt::UdpGsoSegment, &segment_bytes)
                .context("asking for GSO")?;
            Ok(socket)
        };
        let sockets = (0..flows).map(socket).collect::<Result<_>>()?;
        Ok(Self {
            sockets,
            payload_bytes,
            packets_per_second,
            starts_after: Duration::ZERO,
            sent: 0,
            total: Arc::default(),
        })
    }

    /// Counts what it sends together with `other`.
    #[must_use]
    pub fn counted_with(self, other: &Self) -> Self {
        Self { total: Arc::clone(&other.total), ..self }
    }

    /// Starts that much later than [`RunningStreams::start`] says.
    #[must_use]
    pub fn starting_after(self, starts_after: Duration) -> Self {
        Self { starts_after, ..self }
    }

    /// The packets sent by now, by this stream and those counted with it.
    pub fn total(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.total)
    }

    /// Sends what is due of the packets since `elapsed` ago, in part if it is much; returns whether there was any.
    fn send_due(&mut self, elapsed: Duration, message: &[u8]) -> Result<bool> {
        let sending = elapsed.saturating_sub(self.starts_after);
        let called_for = (sending.as_secs_f64() * self.packets_per_second) as u64;
        let due = called_for.saturating_sub(self.sent).min(MOST_SEGMENTS);
        if due == 0 {
            return Ok(false);
        }
        self.sockets.rotate_left(1);
        let sent = self.sockets[0].send(&message[..due as usize * self.payload_bytes]);
        sent.context("sending")?;
        self.sent += due;
        self.total.fetch_add(due, Ordering::Relaxed);
        Ok(true)
    }
}

/// Streams that are being sent; stop when dropped.
#[derive(Debug)]
pub struct RunningStreams {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl RunningStreams {
    /// Starts to send the streams of each CPU, by its number.
    pub fn start(streams_of_cpus: impl IntoIterator<Item = Vec<Stream>>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let start = |(cpu, streams): (usize, Vec<Stream>)| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || send(cpu, streams, &stop))
        };
        let threads = streams_of_cpus.into_iter().enumerate().map(start).collect();
        Self { stop, threads }
    }

    /// Stops, or says why it did before.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        // All of them end before one is asked how.
        let ended: Vec<_> = self.threads.drain(..).map(JoinHandle::join).collect();
        let of_panic = |_| Err(anyhow!("a sender panicked"));
        ended.into_iter().try_for_each(|outcome| outcome.unwrap_or_else(of_panic))
    }
}

impl Drop for RunningStreams {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("streams: {error:#}");
        }
    }
}

fn send(cpu: usize, mut streams: Vec<Stream>, stop: &AtomicBool) -> Result<()> {
    pin_to(cpu).with_context(|| format!("pinning a sender to CPU {cpu}"))?;
    let longest = streams.iter().map(|stream| stream.payload_bytes).max().unwrap_or_default();
    let message = vec![0; longest * MOST_SEGMENTS as usize];
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) && started.elapsed() < LONGEST {
        let elapsed = started.elapsed();
        let mut is_idle = true;
        for stream in &mut streams {
            is_idle &= !stream.send_due(elapsed, &message)?;
        }
        if is_idle {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}
