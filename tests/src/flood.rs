//! UDP floods at a chosen rate.

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn6, sendmmsg, setsockopt, sockopt};
use nix::unistd::Pid;

use crate::router::{End, Router};
use crate::sink::DISCARD_PORT;
use crate::traffic::{Family, Transport};

/// Messages handed to the kernel in one call.
const BATCH: usize = 32;
/// How long a sender waits for the next message to be due.
const PAUSE: Duration = Duration::from_micros(200);
/// A flood ends by itself after this time, whatever its owner does.
const LONGEST: Duration = Duration::from_secs(120);

/// What sets options of a socket.
pub type Prepare = fn(&UdpSocket) -> nix::Result<()>;

/// A flood to be started. By default one thread sends packets of 1500 bytes as fast as it can.
#[derive(Clone, Debug)]
pub struct Flood<'a> {
    router: &'a Router,
    from: End,
    to: End,
    family: Family,
    port: u16,
    payload_bytes: usize,
    segments: usize,
    bits_per_second: Option<u64>,
    cpus: Vec<Option<usize>>,
    prepare: Prepare,
}

impl<'a> Flood<'a> {
    /// A flood from one end to another, to the discard port.
    pub fn new(router: &'a Router, from: End, to: End, family: Family) -> Self {
        Self {
            router,
            from,
            to,
            family,
            port: DISCARD_PORT,
            payload_bytes: 0,
            segments: 1,
            bits_per_second: None,
            cpus: vec![None],
            prepare: |_| Ok(()),
        }
        .length(1500)
    }

    /// Who receives it.
    pub fn receiver(&self) -> (End, Family) {
        (self.to, self.family)
    }

    /// Sends to `port`.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Makes every packet `bytes` long at layer 3.
    pub fn length(self, bytes: u64) -> Self {
        let payload_bytes = bytes.saturating_sub(Transport::Udp.header_bytes(self.family));
        Self { payload_bytes: payload_bytes as usize, ..self }
    }

    /// Offers `bits_per_second` at layer 3, all threads together, instead of all it can.
    pub fn rate(self, bits_per_second: u64) -> Self {
        Self { bits_per_second: Some(bits_per_second), ..self }
    }

    /// Hands the kernel `segments` packets at a time as one UDP GSO packet.
    pub fn gso(self, segments: usize) -> Self {
        Self { segments, ..self }
    }

    /// Sends from one thread per given CPU, pinned to it.
    pub fn on_cpus(self, cpus: impl IntoIterator<Item = usize>) -> Self {
        Self { cpus: cpus.into_iter().map(Some).collect(), ..self }
    }

    /// Sets options of every socket, such as a class of traffic.
    pub fn prepare(self, prepare: Prepare) -> Self {
        Self { prepare, ..self }
    }

    /// Starts to send.
    pub fn start(self) -> Result<RunningFlood> {
        let shared = Arc::new(Shared::default());
        let started = Instant::now();
        let mut running = RunningFlood {
            shared,
            threads: Vec::new(),
            started,
            packet_bytes: self.packet_bytes(),
        };
        for cpu in &self.cpus {
            let sender = Sender {
                socket: self.socket()?,
                message: vec![0; self.payload_bytes * self.segments],
                segments: self.segments as u64,
                packets_per_second: self.packets_per_second(),
                cpu: *cpu,
                started,
            };
            let shared = Arc::clone(&running.shared);
            running.threads.push(thread::spawn(move || sender.run(&shared)));
        }
        Ok(running)
    }

    fn packet_bytes(&self) -> u64 {
        self.payload_bytes as u64 + Transport::Udp.header_bytes(self.family)
    }

    /// The share of one thread.
    fn packets_per_second(&self) -> Option<f64> {
        let bits_per_packet = (self.packet_bytes() * 8 * self.cpus.len() as u64) as f64;
        self.bits_per_second.map(|bits| bits as f64 / bits_per_packet)
    }

    fn socket(&self) -> Result<UdpSocket> {
        let from = SocketAddr::new(self.from.address(self.family), 0);
        let to = SocketAddr::new(self.to.address(self.family), self.port);
        let socket = self.router.namespace(self.from).run(|| UdpSocket::bind(from))?;
        let socket = socket.with_context(|| format!("binding {from}"))?;
        socket.connect(to).with_context(|| format!("connecting {from} to {to}"))?;
        setsockopt(&socket, sockopt::SndBuf, &(4 << 20)).context("growing the send buffer")?;
        (self.prepare)(&socket).context("preparing the socket")?;
        if self.segments > 1 {
            let size = i32::try_from(self.payload_bytes)?;
            setsockopt(&socket, sockopt::UdpGsoSegment, &size).context("asking for UDP GSO")?;
        }
        Ok(socket)
    }
}

/// A flood that is being sent; stops when dropped.
#[derive(Debug)]
pub struct RunningFlood {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    started: Instant,
    packet_bytes: u64,
}

/// What a flood handed to the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// Packets.
    pub packets: u64,
    /// Their layer-3 bytes.
    pub bytes: u64,
    /// The mean layer-3 rate.
    pub bits_per_second: f64,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    packets: AtomicU64,
}

impl RunningFlood {
    /// Stops and returns what was handed to the kernel.
    pub fn stop(mut self) -> Offered {
        self.end();
        let seconds = self.started.elapsed().as_secs_f64();
        let packets = self.shared.packets.load(Ordering::Relaxed);
        let bytes = packets * self.packet_bytes;
        Offered { packets, bytes, bits_per_second: bytes as f64 * 8.0 / seconds }
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of a sender has been printed already; the measured rate tells the rest.
            let _ = thread.join();
        }
    }
}

impl Drop for RunningFlood {
    fn drop(&mut self) {
        self.end();
    }
}

struct Sender {
    socket: UdpSocket,
    message: Vec<u8>,
    segments: u64,
    packets_per_second: Option<f64>,
    cpu: Option<usize>,
    started: Instant,
}

impl Sender {
    fn run(self, shared: &Shared) {
        if let Some(cpu) = self.cpu {
            pin_to(cpu).unwrap_or_else(|error| panic!("pinning a sender to CPU {cpu}: {error}"));
        }
        let slices = [[IoSlice::new(&self.message)]; BATCH];
        let mut headers = MultiHeaders::<SockaddrIn6>::preallocate(BATCH, None);
        // The socket is connected: no message names its receiver.
        let receivers = [None; BATCH];
        let mut sent = 0;
        while !shared.stop.load(Ordering::Relaxed) && self.started.elapsed() < LONGEST {
            let due = self.messages_due(sent).min(BATCH);
            if due == 0 {
                thread::sleep(PAUSE);
                continue;
            }
            let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
            match sendmmsg(socket, &mut headers, &slices[..due], receivers, [], flags) {
                Ok(results) => {
                    let packets = results.count() as u64 * self.segments;
                    sent += packets;
                    shared.packets.fetch_add(packets, Ordering::Relaxed);
                }
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => {}
                Err(error) => panic!("flood: {error}"),
            }
        }
    }

    /// How many messages the rate calls for by now.
    fn messages_due(&self, sent: u64) -> usize {
        let Some(packets_per_second) = self.packets_per_second else { return BATCH };
        let called_for = (self.started.elapsed().as_secs_f64() * packets_per_second) as u64;
        (called_for.saturating_sub(sent) / self.segments) as usize
    }
}

/// Keeps the calling thread on one CPU.
pub fn pin_to(cpu: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}
