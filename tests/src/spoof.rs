//! Floods with spoofed sources: minimal UDP packets of as many hosts as wanted, as fast as one CPU makes
//! them.
//!
//! An XDP program is run on live frames (BPF_PROG_TEST_RUN) in the clients' namespace and redirects
//! each of them to the router. The kernel recycles frames after the router has changed them, so the
//! program writes all of every frame. Sources are walked through in order, which makes it certain how
//! many there were.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns};
use nix::time::{ClockId, clock_gettime};

use crate::bpf::{Instruction, MapType, ProgramType, TestRunAttr, instruction, load, map};
use crate::flood::pin_to;
use crate::packets::Frame;
use crate::router::{End, Router};
use crate::sink::DISCARD_PORT;
use crate::traffic::Family;

/// The most sources that a flood can have: the octets below the IPv4 prefix.
pub const MOST_SOURCES: u32 = 1 << 24;

/// The CPU that floods. The router receives and refuses the packets on the same one.
pub const CPU: usize = 0;

/// A flood ends by itself after this time, whatever its owner does.
const LONGEST: Duration = Duration::from_secs(120);
/// Frames made in one call of the kernel: some tens of milliseconds.
const FRAMES_PER_CALL: u32 = 1 << 16;
/// The same of a flood with a pace, which leaves the CPU to others in between: under a millisecond.
const PACED_FRAMES_PER_CALL: u32 = 1 << 10;

const LIVE_FRAMES: u32 = 1 << 1;
const REDIRECT: i32 = 23;
const PSEUDO_MAP_VALUE: u8 = 2;
const LAYER3: usize = 14;
/// Those of the router on LAN 0 and of its clients, as [`Router`] gives them.
const LINK_ADDRESSES: [u8; 12] = [2, 0x77, 0, 0, 0, 1, 2, 0x77, 0, 0, 0, 2];

/// The prefix that holds every spoofed source.
pub fn prefix(family: Family) -> &'static str {
    match family {
        Family::V4 => "11.0.0.0/8",
        Family::V6 => "fd00:5f00::/32",
    }
}

/// The first source: as a whole for IPv4, of the first /64 for IPv6.
fn first_source(family: Family) -> &'static str {
    match family {
        Family::V4 => "11.0.0.0",
        // The last words are the complement of those that count hosts: the checksum is that of all.
        Family::V6 => "fd00:5f00::ffff:ffff",
    }
}

/// A flood that is being sent; stops when dropped.
#[derive(Debug)]
pub struct SpoofedFlood {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    packets: AtomicU64,
    cpu_ns: AtomicU64,
}

impl SpoofedFlood {
    /// Floods the server from LAN 0 with packets of `sources` hosts in turn, as fast as can be.
    pub fn start(router: &Router, family: Family, sources: u32) -> Result<Self> {
        Self::with_pace(router, family, sources, None)
    }

    /// As [`start`](Self::start), with so many packets per second.
    pub fn paced(
        router: &Router,
        family: Family,
        sources: u32,
        packets_per_second: u32,
    ) -> Result<Self> {
        Self::with_pace(router, family, sources, Some(packets_per_second))
    }

    fn with_pace(
        router: &Router,
        family: Family,
        sources: u32,
        packets_per_second: Option<u32>,
    ) -> Result<Self> {
        ensure!(sources <= MOST_SOURCES, "{sources} sources: at most {MOST_SOURCES}");
        // The router's own way back, so that a strict reverse path filter lets the sources in.
        let at_router = router.namespace(End::Router);
        at_router.ip(&format!("route replace {} dev lan0", prefix(family)))?;
        at_router.run(|| receive_frames("lan0"))??;
        let clients = router.namespace(End::host(0));
        let interface = clients.run(|| if_nametoindex("eth0"))?.context("finding eth0")?;
        let frame = frame(family);
        let counter = map(MapType::Array, 8)?;
        let code = program(family, &frame, sources, &counter, interface);
        let program = load(ProgramType::Xdp, &code)?;
        let namespace =
            clients.run(|| File::open("/proc/thread-self/ns/net"))?.context("opening the LAN")?;
        let shared = Arc::new(Shared::default());
        let sending = Arc::clone(&shared);
        let send = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).context("entering the LAN")?;
            send(&program, &frame, packets_per_second, &sending)
        };
        Ok(Self { shared, thread: Some(thread::spawn(send)) })
    }

    /// The packets made up to now.
    pub fn sent(&self) -> u64 {
        self.shared.packets.load(Ordering::Relaxed)
    }

    /// Stops and returns the packets made, and the seconds of processor time it took to make them.
    pub fn stop(mut self) -> Result<(u64, f64)> {
        self.end()?;
        Ok((self.sent(), self.shared.cpu_ns.load(Ordering::Relaxed) as f64 / 1e9))
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

fn send(
    program: &OwnedFd,
    frame: &[u8],
    packets_per_second: Option<u32>,
    shared: &Shared,
) -> Result<()> {
    pin_to(CPU).with_context(|| format!("pinning the flood to CPU {CPU}"))?;
    let started = Instant::now();
    let repeat = packets_per_second.map_or(FRAMES_PER_CALL, |_| PACED_FRAMES_PER_CALL);
    let pause = packets_per_second.map(|rate| Duration::from_secs(1) * repeat / rate.max(1));
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
        shared.packets.fetch_add(repeat.into(), Ordering::Relaxed);
        let cpu = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        shared.cpu_ns.store(cpu.as_nanos() as u64, Ordering::Relaxed);
        due += pause.unwrap_or_default();
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// The frame of the first source, with a length that is a multiple of four.
fn frame(family: Family) -> Vec<u8> {
    const SOURCE_PORT: u16 = 12345;
    let udp = LAYER3 + family.header_bytes() as usize;
    let length_bytes = (udp + 8).next_multiple_of(4);
    let server = End::Server.address(family).to_string();
    let frame = Frame::udp(first_source(family), &server).layer3_bytes(length_bytes - LAYER3);
    let mut frame = frame.bytes();
    frame[..12].copy_from_slice(&LINK_ADDRESSES);
    let udp_bytes = (length_bytes - udp) as u16;
    let words = [SOURCE_PORT, DISCARD_PORT, udp_bytes].map(u16::to_be_bytes);
    frame[udp..udp + 6].copy_from_slice(words.as_flattened());
    // UDP goes without a checksum over IPv4; that of the IPv4 header is up to the program.
    if family == Family::V6 {
        let rest_of_pseudo_header = u64::from(udp_bytes) + u64::from(frame[LAYER3 + 6]);
        let checksum = !fold(sum(&frame[LAYER3 + 8..]) + rest_of_pseudo_header);
        frame[udp + 6..udp + 8].copy_from_slice(&checksum.to_be_bytes());
    }
    frame
}

/// Writes the frame, the source in it, and sends it.
fn program(
    family: Family,
    frame: &[u8],
    sources: u32,
    counter: &OwnedFd,
    interface: u32,
) -> Vec<Instruction> {
    let count = [
        instruction(0x18, 7, PSEUDO_MAP_VALUE, 0, counter.as_raw_fd()), // r7 = counter
        instruction(0, 0, 0, 0, 0),
        instruction(0x79, 8, 7, 0, 0),              // r8 = *r7
        instruction(0xbf, 9, 8, 0, 0),              // r9 = r8
        instruction(0x07, 9, 0, 0, 1),              // r9 += 1
        instruction(0xa5, 9, 0, 1, sources as i32), // if r9 < sources skip
        instruction(0xb7, 9, 0, 0, 0),              // r9 = 0
        instruction(0x7b, 7, 9, 0, 0),              // *r7 = r9
    ];
    let write = frame.chunks_exact(4).enumerate().map(|(number, word)| {
        let word = i32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        instruction(0x62, 2, 0, number as i16 * 4, word) // *(u32 *)(r2 + 4 * number) = word
    });
    let source = match family {
        Family::V4 => source_v4(frame),
        Family::V6 => source_v6(),
    };
    let send = [
        instruction(0xb7, 1, 0, 0, interface as i32), // r1 = interface
        instruction(0xb7, 2, 0, 0, 0),                // r2 = 0
        instruction(0x85, 0, 0, 0, REDIRECT),         // call
        instruction(0x95, 0, 0, 0, 0),                // exit
    ];
    let body: Vec<_> = count.into_iter().chain(write).chain(source).chain(send).collect();
    let mut code = vec![
        instruction(0x61, 2, 1, 0, 0),                  // r2 = data
        instruction(0x61, 3, 1, 4, 0),                  // r3 = data_end
        instruction(0xbf, 4, 2, 0, 0),                  // r4 = r2
        instruction(0x07, 4, 0, 0, frame.len() as i32), // r4 += length
        instruction(0x2d, 4, 3, body.len() as i16, 0),  // if r4 > r3 goto drop
    ];
    code.extend(body);
    code.extend([
        instruction(0xb7, 0, 0, 0, 1), // drop: r0 = XDP_DROP
        instruction(0x95, 0, 0, 0, 0), // exit
    ]);
    code
}

/// Adds the host's number to the source and its two halves to the header's checksum.
fn source_v4(frame: &[u8]) -> Vec<Instruction> {
    let network = i32::from_be_bytes([frame[26], frame[27], frame[28], frame[29]]);
    let mut header = frame[LAYER3..LAYER3 + 20].to_vec();
    header[10..16].fill(0);
    let rest = i32::from(fold(sum(&header)));
    let fold = [
        instruction(0xbf, 3, 5, 0, 0),      // r3 = r5
        instruction(0x77, 3, 0, 0, 16),     // r3 >>= 16
        instruction(0x57, 5, 0, 0, 0xffff), // r5 &= 0xffff
        instruction(0x0f, 5, 3, 0, 0),      // r5 += r3
    ];
    let sum = [
        instruction(0xbf, 4, 8, 0, 0),       // r4 = r8
        instruction(0x07, 4, 0, 0, network), // r4 += network
        instruction(0xbf, 5, 4, 0, 0),       // r5 = r4
        instruction(0x77, 5, 0, 0, 16),      // r5 >>= 16
        instruction(0xbf, 3, 4, 0, 0),       // r3 = r4
        instruction(0x57, 3, 0, 0, 0xffff),  // r3 &= 0xffff
        instruction(0x0f, 5, 3, 0, 0),       // r5 += r3
        instruction(0x07, 5, 0, 0, rest),    // r5 += rest
    ];
    let write = [
        instruction(0xa7, 5, 0, 0, 0xffff), // r5 ^= 0xffff
        instruction(0xdc, 5, 0, 0, 16),     // r5 = be16 r5
        instruction(0x6b, 2, 5, 24, 0),     // *(u16 *)(r2 + 24) = r5
        instruction(0xdc, 4, 0, 0, 32),     // r4 = be32 r4
        instruction(0x63, 2, 4, 26, 0),     // *(u32 *)(r2 + 26) = r4
    ];
    [&sum[..], &fold, &fold, &write].concat()
}

/// Writes the host's number into the upper half of the source and its complement into the lower one.
fn source_v6() -> Vec<Instruction> {
    vec![
        instruction(0xdc, 8, 0, 0, 32), // r8 = be32 r8
        instruction(0x63, 2, 8, 26, 0), // *(u32 *)(r2 + 26) = r8
        instruction(0xa7, 8, 0, 0, -1), // r8 ^= -1
        instruction(0x63, 2, 8, 34, 0), // *(u32 *)(r2 + 34) = r8
    ]
}

/// The sum of 16-bit words, as checksums of the Internet are made of.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

const fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Makes one end of a veth pair take XDP frames from its peer, which it does with GRO on.
fn receive_frames(interface: &str) -> Result<()> {
    const ETHTOOL_SGRO: u32 = 0x2c;
    let mut value = [ETHTOOL_SGRO, 1];
    // SAFETY: all zeros are a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).context("opening a socket")?;
    // SAFETY: the request names a value of the command's form, and both outlive the call.
    let answer =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    ensure!(answer == 0, "turning on GRO of {interface}: {}", std::io::Error::last_os_error());
    Ok(())
}
