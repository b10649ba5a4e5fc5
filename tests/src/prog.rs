//! Packets run through the loaded program by BPF_PROG_TEST_RUN, without being sent.

use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aya::programs::{TestRun as _, TestRunOptions};
use throttle_agent::datapath::{Counters, Datapath, HookChoice, HostState, Options, Tally};
use throttle_agent::instance::PIN_ROOT;
use throttle_agent::policy::Limit;
use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::verdict::Reason;

use crate::netns::Namespace;

/// What the program tells the kernel to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Left to the programs of others.
    Pass,
    /// Dropped.
    Drop,
}

/// The kernel's view of a packet beside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Segments {
    /// Payload bytes of each segment; 0 when the buffer is one packet.
    pub size_bytes: u32,
    /// Number of segments; 0 when nobody has counted them.
    pub count: u32,
}

/// The program, attached to the loopback interface of a namespace of its own.
pub struct Program {
    datapath: Option<Datapath>,
    options: Options,
}

/// Offsets in `struct __sk_buff` of linux/bpf.h.
const GSO_SEGS: usize = 164;
const GSO_SIZE: usize = 176;
const SK_BUFF_BYTES: usize = 192;

const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;

/// Runs `test` with the program attached to `lo`, hosts being on `side`; removes everything afterwards.
pub fn with_program(side: Side, test: impl FnOnce(&mut Program) + Send) {
    with_capacity(side, 1024, test);
}

/// As [`with_program`], with room for `max_hosts` hosts.
pub fn with_capacity(side: Side, max_hosts: u32, test: impl FnOnce(&mut Program) + Send) {
    let namespace = Namespace::new("prog").expect("a namespace");
    namespace
        .run(|| {
            let mut program = Program::open(max_hosts);
            program.datapath().attach("lo", side).unwrap_or_else(|error| panic!("{error}"));
            test(&mut program);
        })
        .expect("the namespace");
}

impl Program {
    /// Opens an instance of its own, attached to nothing.
    pub fn open(max_hosts: u32) -> Self {
        Self::with_limits(max_hosts, 64)
    }

    /// As [`open`](Self::open), with room for `max_limits` limits.
    pub fn with_limits(max_hosts: u32, max_limits: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let options = Options {
            instance: format!("thr{}-prog{number}", process::id()),
            pin_root: PathBuf::from(PIN_ROOT),
            hook: HookChoice::Auto,
            max_hosts,
            max_limits,
            ipv6_host_prefix: 64,
            kernel_log: None,
        };
        let datapath = Datapath::open(&options).unwrap_or_else(|error| panic!("{error}"));
        Self { datapath: Some(datapath), options }
    }

    /// The datapath.
    pub fn datapath(&mut self) -> &mut Datapath {
        self.datapath.as_mut().expect("a datapath until it is dropped")
    }

    /// Ends the agent's side as a crash does and opens the instance again.
    pub fn restart(&mut self) {
        self.datapath = None;
        let datapath = Datapath::open(&self.options).unwrap_or_else(|error| panic!("{error}"));
        self.datapath = Some(datapath);
    }

    /// Puts a limit in force.
    pub fn set(&mut self, limit: &Limit) {
        self.datapath().set_limit(limit).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs one packet; the bytes that come out must be those that went in.
    pub fn run(&mut self, hook: Hook, frame: &[u8]) -> Verdict {
        self.run_segments(hook, frame, Segments::default())
    }

    /// Runs one buffer that holds segments.
    pub fn run_segments(&mut self, hook: Hook, frame: &[u8], segments: Segments) -> Verdict {
        let mut out = vec![0; frame.len() + 256];
        let (verdict, length) = self.test_run(hook, frame, segments, 1, Some(&mut out)).0;
        assert_eq!(&out[..length], frame, "the program changed the packet");
        verdict
    }

    /// Runs one packet `times` times; returns the mean duration of one run.
    pub fn repeat(&mut self, hook: Hook, frame: &[u8], times: u32) -> Duration {
        self.test_run(hook, frame, Segments::default(), times, None).1
    }

    fn test_run(
        &mut self,
        hook: Hook,
        frame: &[u8],
        segments: Segments,
        repeat: u32,
        data_out: Option<&mut [u8]>,
    ) -> ((Verdict, usize), Duration) {
        let mut context = [0; SK_BUFF_BYTES];
        context[GSO_SEGS..GSO_SEGS + 4].copy_from_slice(&segments.count.to_ne_bytes());
        context[GSO_SIZE..GSO_SIZE + 4].copy_from_slice(&segments.size_bytes.to_ne_bytes());
        let program = self.datapath().classifier(hook).unwrap_or_else(|error| panic!("{error}"));
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = data_out;
        options.ctx_in = Some(&context);
        options.repeat = repeat;
        let result = program.test_run(options).expect("BPF_PROG_TEST_RUN");
        let verdict = match result.return_value as i32 {
            TC_ACT_UNSPEC => Verdict::Pass,
            TC_ACT_SHOT => Verdict::Drop,
            other => panic!("the program answered {other}"),
        };
        ((verdict, result.data_size_out as usize), result.duration)
    }

    /// Runs one packet and checks its verdict, and that it moved one counter by one packet of `bytes`
    /// and no other.
    #[track_caller]
    pub fn expect(
        &mut self,
        hook: Hook,
        frame: &[u8],
        direction: Direction,
        reason: Reason,
        bytes: u64,
    ) {
        let moved = Tally { packets: 1, bytes };
        self.expect_segments(hook, frame, Segments::default(), direction, reason, moved);
    }

    /// As [`expect`](Self::expect), for a buffer that holds segments.
    #[track_caller]
    pub fn expect_segments(
        &mut self,
        hook: Hook,
        frame: &[u8],
        segments: Segments,
        direction: Direction,
        reason: Reason,
        moved: Tally,
    ) {
        let mut expected = Direction::ALL.map(|direction| self.tallies(direction));
        let tally = &mut expected[direction as usize][reason as usize];
        tally.packets += moved.packets;
        tally.bytes += moved.bytes;
        let verdict = self.run_segments(hook, frame, segments);
        let wanted = if reason.refuses() { Verdict::Drop } else { Verdict::Pass };
        assert_eq!(verdict, wanted, "verdict for {reason:?}");
        let found = Direction::ALL.map(|direction| self.tallies(direction));
        assert_eq!(found, expected, "counters for {reason:?} {direction:?}");
    }

    /// A host of the table.
    #[track_caller]
    pub fn host(&mut self, address: &str) -> Option<HostState> {
        let address = address.parse().expect("an address");
        self.datapath().host(address).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Every reason's tally of one direction, for comparing before and after.
    pub fn tallies(&mut self, direction: Direction) -> [Tally; Reason::COUNT] {
        let link = &self.counters().links[0];
        match direction {
            Direction::Up => link.up,
            Direction::Down => link.down,
        }
    }

    /// Every counter that is not per host.
    pub fn counters(&mut self) -> Counters {
        self.datapath().counters().unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.datapath = None;
        if let Err(error) = Datapath::remove(&self.options) {
            eprintln!("cannot remove instance {}: {error}", self.options.instance);
        }
    }
}

/// Builds limits for tests: a drop limit with one burst for both directions.
pub mod limits {
    use throttle_agent::policy::{Action, ByteRate, Limit, Match, PacketRate, Rates, Scope};
    use throttle_common::units::{BitRate, PacketsPerSecond, Size};

    /// 8 kbit/s: a byte lasts a millisecond, so that no test refills a bucket while it runs.
    pub const SLOW_BITS_PER_SECOND: u64 = 8_000;

    /// Bytes at [`SLOW_BITS_PER_SECOND`], with a burst.
    pub fn bytes(burst_bytes: u64) -> Rates {
        rated(SLOW_BITS_PER_SECOND, burst_bytes)
    }

    /// Bytes at a rate, with a burst.
    pub fn rated(bits_per_second: u64, burst_bytes: u64) -> Rates {
        let rate = BitRate::from_bits_per_second(bits_per_second);
        let bytes = Some(ByteRate { rate, burst: Size::from_bytes(burst_bytes), refill: None });
        Rates { bytes, packets: None }
    }

    /// One packet per second, with a burst.
    pub fn packets(burst_packets: u64) -> Rates {
        let rate = PacketsPerSecond::from_packets_per_second(1);
        Rates { bytes: None, packets: Some(PacketRate { rate, burst_packets, refill: None }) }
    }

    /// A limit with the same rates up and down.
    pub fn each(prefix: &str, rates: Rates) -> Limit {
        limit(prefix, Scope::Each, rates)
    }

    /// A limit whose prefix has one bucket per direction.
    pub fn shared(prefix: &str, rates: Rates) -> Limit {
        limit(prefix, Scope::Shared, rates)
    }

    /// A limit on both directions together.
    pub fn total(prefix: &str, rates: Rates) -> Limit {
        let none = Rates::default();
        Limit { up: none, down: none, total: rates, ..limit(prefix, Scope::Each, rates) }
    }

    fn limit(prefix: &str, scope: Scope, rates: Rates) -> Limit {
        let prefix = prefix.parse().expect("a prefix");
        let (up, down, total) = (rates, rates, Rates::default());
        Limit {
            prefix,
            matches: Match::Host,
            scope,
            action: Action::Drop,
            group: None,
            up,
            down,
            total,
            one_time_burst: None,
            packet_unit: None,
        }
    }
}
