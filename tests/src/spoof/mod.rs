//! Floods with spoofed sources: minimal UDP packets of as many hosts as wanted, as fast as one CPU makes
//! them.
//!
//! An XDP program is run on live frames (BPF_PROG_TEST_RUN) in the clients' namespace and redirects
//! each of them to the router. The kernel recycles frames after the router has changed them, so the
//! program writes all of every frame. Sources are walked through one by one, which makes it certain how
//! many there were.

mod program;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns};
use nix::time::{ClockId, clock_gettime};

use self::program::{frame, program};
use crate::bpf::{MapType, ProgramType, TestRunAttr, load, map};
use crate::flood::pin_to;
use crate::offload::{self, Offload};
use crate::router::{End, Router};
use crate::traffic::Family;

/// The most sources that a flood can have: the octets below the IPv4 prefix.
pub const MOST_SOURCES: u32 = 1 << 24;

/// The CPU that floods. The router receives and refuses the packets on the same one.
pub const CPU: usize = 0;

/// A flood ends by itself after this time, whatever its owner does.
const LONGEST: Duration = Duration::from_secs(120);
/// Frames made in one call of the kernel: some tens of milliseconds.
const FRAMES_PER_CALL: u32 = 1 << 16;
/// The same of a flood whose time is taken: so many that the waits around a call are little.
const TIMED_FRAMES_PER_CALL: u32 = 1 << 18;
/// The same of a flood with a pace, which leaves the CPU to others in between: under a millisecond.
const PACED_FRAMES_PER_CALL: u32 = 1 << 10;

const LIVE_FRAMES: u32 = 1 << 1;

/// The prefix that holds every spoofed source.
pub fn prefix(family: Family) -> &'static str {
    match family {
        Family::V4 => "11.0.0.0/8",
        Family::V6 => "fd00:5f00::/32",
    }
}

/// A flood that is being sent; stops when dropped.
#[derive(Debug)]
pub struct SpoofedFlood {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// How far a flood is: what it was at the end of its last call of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Packets made.
    pub packets: u64,
    /// Processor time of the flood, with what the packets met on its CPU where the kernel counts it together.
    pub cpu: Duration,
    /// Time that the kernel ran for them, from the making of each packet to its end on the flood's CPU; waits
    /// before and after are not in it.
    pub running: Duration,
}

/// How many sources take turns, in which order and how fast.
#[derive(Clone, Copy, Debug)]
struct Walk {
    sources: u32,
    is_scattered: bool,
    packets_per_second: Option<u32>,
}

impl Walk {
    fn frames_per_call(self) -> u32 {
        match (self.packets_per_second, self.is_scattered) {
            (Some(_), _) => PACED_FRAMES_PER_CALL,
            (None, true) => TIMED_FRAMES_PER_CALL,
            (None, false) => FRAMES_PER_CALL,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    progress: Mutex<Progress>,
}

impl SpoofedFlood {
    /// Floods the server from LAN 0 with packets of `sources` hosts in turn, as fast as can be.
    pub fn start(router: &Router, family: Family, sources: u32) -> Result<Self> {
        let walk = Walk { sources, is_scattered: false, packets_per_second: None };
        Self::walk(router, family, walk)
    }

    /// As [`start`](Self::start), with the sources, a power of two, in an order that has nothing to do with
    /// the one in which `start` walks through them: a table that was filled in that order is not read in it.
    pub fn scattered(router: &Router, family: Family, sources: u32) -> Result<Self> {
        ensure!(sources.is_power_of_two(), "{sources} scattered sources: accepted: a power of two");
        let walk = Walk { sources, is_scattered: true, packets_per_second: None };
        Self::walk(router, family, walk)
    }

    /// As [`start`](Self::start), with so many packets per second.
    pub fn paced(
        router: &Router,
        family: Family,
        sources: u32,
        packets_per_second: u32,
    ) -> Result<Self> {
        let packets_per_second = Some(packets_per_second);
        let walk = Walk { sources, is_scattered: false, packets_per_second };
        Self::walk(router, family, walk)
    }

    fn walk(router: &Router, family: Family, walk: Walk) -> Result<Self> {
        let sources = walk.sources;
        ensure!(
            (1..=MOST_SOURCES).contains(&sources),
            "{sources} sources: accepted: 1 to {MOST_SOURCES}"
        );
        // The router's own way back, so that a strict reverse path filter lets the sources in.
        let at_router = router.namespace(End::Router);
        at_router.ip(&format!("route replace {} dev lan0", prefix(family)))?;
        // One end of a veth pair takes XDP frames from its peer with GRO on.
        offload::set(at_router, "lan0", Offload::Gro, true)?;
        let clients = router.namespace(End::host(0));
        let interface = clients.run(|| if_nametoindex("eth0"))?.context("finding eth0")?;
        let frame = frame(family);
        let counter = map(MapType::Array, 8)?;
        let code = program(family, &frame, walk, &counter, interface);
        let program = load(ProgramType::Xdp, &code)?;
        let namespace =
            clients.run(|| File::open("/proc/thread-self/ns/net"))?.context("opening the LAN")?;
        let shared = Arc::new(Shared::default());
        let sending = Arc::clone(&shared);
        let send = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).context("entering the LAN")?;
            send(&program, &frame, walk, &sending)
        };
        Ok(Self { shared, thread: Some(thread::spawn(send)) })
    }

    /// The packets made up to now.
    pub fn sent(&self) -> u64 {
        self.progress().packets
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        *self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops and returns the packets made, and the seconds of processor time it took to make them.
    pub fn stop(mut self) -> Result<(u64, f64)> {
        self.end()?;
        let Progress { packets, cpu, .. } = self.progress();
        Ok((packets, cpu.as_secs_f64()))
    }

    fn end(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(anyhow::anyhow!("the flood panicked")))
    }
}

impl Drop for SpoofedFlood {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("spoofed flood: {error:#}");
        }
    }
}

fn send(program: &OwnedFd, frame: &[u8], walk: Walk, shared: &Shared) -> Result<()> {
    pin_to(CPU).with_context(|| format!("pinning the flood to CPU {CPU}"))?;
    let started = Instant::now();
    let repeat = walk.frames_per_call();
    let pause = walk.packets_per_second.map(|rate| Duration::from_secs(1) * repeat / rate.max(1));
    let mut due = started;
    while !shared.stop.load(Ordering::Relaxed) && started.elapsed() < LONGEST {
        let mut attr = TestRunAttr {
            prog_fd: program.as_raw_fd() as u32,
            data_size_in: frame.len() as u32,
            data_in: frame.as_ptr() as u64,
            repeat,
            flags: LIVE_FRAMES,
            ..TestRunAttr::default()
        };
        // SAFETY: the frame outlives the call and has the length that is given.
        match unsafe { attr.run() } {
            // A signal to another thread ends a call early.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            outcome => outcome.context("running the flood")?,
        };
        let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into();
        let running = Duration::from_nanos(attr.duration_ns.into()) * repeat;
        let mut progress = shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.packets += u64::from(repeat);
        progress.cpu = cpu;
        progress.running += running;
        drop(progress);
        due += pause.unwrap_or_default();
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
