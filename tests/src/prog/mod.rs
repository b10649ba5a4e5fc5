//! Packets run through the loaded program by BPF_PROG_TEST_RUN, without being sent.

mod moves;
mod test_run;

pub mod limits;

use std::path::PathBuf;
use std::time::Duration;

use aya::programs::SchedClassifier;
use throttle_agent::datapath::{Counters, Datapath, HookChoice, HostState, Options, Tally};
use throttle_agent::instance::PIN_ROOT;
use throttle_agent::policy::{Group, Limit, LimitKey, LinkLimit};
use throttle_common::abi::{Direction, Hook, Side, VERSION};
use throttle_common::verdict::Reason;

use self::moves::Standing;
pub use self::moves::{Fate, Moves};
pub use self::test_run::repeat;
use crate::netns::{Namespace, unique_name};

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

/// What comes out of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the kernel is told to do.
    pub verdict: Verdict,
    /// The packet's bytes.
    pub bytes: Vec<u8>,
    /// The mark of the socket buffer.
    pub mark: u32,
    /// The departure time of the socket buffer, in nanoseconds.
    pub departs_ns: u64,
}

/// The program, attached to the loopback interface of a namespace of its own.
pub struct Program {
    datapath: Option<Datapath>,
    options: Options,
}

/// The interface that it is attached to, which every namespace has.
pub const LINK: &str = "lo";

/// Its index in every namespace.
pub const LOOPBACK_INDEX: u32 = 1;

/// Runs `test` with the program attached to `lo`, hosts being on `side`; removes everything afterwards.
pub fn with_program(side: Side, test: impl FnOnce(&mut Program) + Send) {
    with_capacity(side, 1024, test);
}

/// As [`with_program`], with room for `max_hosts` hosts.
pub fn with_capacity(side: Side, max_hosts: u32, test: impl FnOnce(&mut Program) + Send) {
    with_options(side, Options { max_hosts, ..Program::options() }, test);
}

/// As [`with_program`], with options of one's own.
pub fn with_options(side: Side, options: Options, test: impl FnOnce(&mut Program) + Send) {
    let namespace = Namespace::new("prog").expect("a namespace");
    namespace
        .run(|| {
            let mut program = Program::open_with(options);
            program.datapath().attach(LINK, side).unwrap_or_else(|error| panic!("{error}"));
            test(&mut program);
        })
        .expect("the namespace");
}

impl Program {
    /// Opens an instance of its own, attached to nothing.
    pub fn open(max_hosts: u32) -> Self {
        Self::open_with(Options { max_hosts, ..Self::options() })
    }

    /// Opens the instance that `options` name.
    pub fn open_with(options: Options) -> Self {
        Self { datapath: Some(in_force(&options)), options }
    }

    /// Options of an instance of its own.
    pub fn options() -> Options {
        Options {
            instance: unique_name(),
            pin_root: PathBuf::from(PIN_ROOT),
            hook: HookChoice::Auto,
            max_hosts: 1024,
            max_limits: 64,
            ipv6_host_prefix: 64,
            kernel_log: None,
        }
    }

    /// The datapath.
    pub fn datapath(&mut self) -> &mut Datapath {
        self.datapath.as_mut().expect("a datapath until it is dropped")
    }

    /// Ends the agent's side as a crash does and opens the instance again.
    pub fn restart(&mut self) {
        self.datapath = None;
        self.datapath = Some(in_force(&self.options));
    }

    /// The directory of its pins.
    pub fn pins(&self) -> PathBuf {
        let Options { pin_root, instance, .. } = &self.options;
        pin_root.join(VERSION.to_string()).join(instance)
    }

    /// Puts a limit in force.
    pub fn set(&mut self, limit: &Limit) {
        self.datapath().set_limit(limit).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Takes a limit out of force, which has to be in force.
    pub fn delete(&mut self, prefix: &str) {
        let key = LimitKey::host(prefix.parse().expect("a prefix"));
        let deleted = self.datapath().delete_limit(&key).unwrap_or_else(|error| panic!("{error}"));
        assert!(deleted, "{prefix} had no limit");
    }

    /// Puts a group in force.
    pub fn set_group(&mut self, group: &Group) {
        self.datapath().set_group(group).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Puts the limit of the whole link in force.
    pub fn set_link(&mut self, limit: &LinkLimit) {
        self.datapath().set_link_limit(LINK, limit).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs one packet; the bytes that come out must be those that went in.
    pub fn run(&mut self, hook: Hook, frame: &[u8]) -> Verdict {
        self.run_segments(hook, frame, Segments::default())
    }

    /// Runs one buffer that holds segments.
    pub fn run_segments(&mut self, hook: Hook, frame: &[u8], segments: Segments) -> Verdict {
        let outcome = self.treat(hook, frame, segments);
        assert_eq!(outcome.bytes, frame, "the program changed the packet");
        outcome.verdict
    }

    /// Runs one buffer and returns all that comes out.
    pub fn treat(&mut self, hook: Hook, frame: &[u8], segments: Segments) -> Outcome {
        let outcome = self.treat_on(LOOPBACK_INDEX, hook, frame, segments);
        outcome.expect("BPF_PROG_TEST_RUN").expect("a frame that the kernel runs")
    }

    /// Runs one packet `times` times; returns the mean duration of one run.
    pub fn repeat(&mut self, hook: Hook, frame: &[u8], times: u32) -> Duration {
        repeat(self.classifier(hook), frame, times)
    }

    /// The program of a hook, for running packets on a thread of one's own.
    pub fn detached(&mut self, hook: Hook) -> SchedClassifier {
        let info = self.classifier(hook).info().expect("the program's description");
        SchedClassifier::from_program_info(info, "throttle".into()).expect("the program by its id")
    }

    fn classifier(&mut self, hook: Hook) -> &mut SchedClassifier {
        self.datapath().classifier(hook).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one packet and checks all that it moves, and that nothing else moved; returns what comes
    /// out. Its bytes are not compared.
    #[track_caller]
    pub fn moves(&mut self, hook: Hook, frame: &[u8], moves: &Moves<'_>) -> Outcome {
        let before = self.standing();
        let outcome = self.treat(hook, frame, moves.segments);
        let wanted = if moves.reason.refuses() { Verdict::Drop } else { Verdict::Pass };
        assert_eq!(outcome.verdict, wanted, "verdict for {:?}", moves.reason);
        assert_eq!(self.standing(), before.after(moves), "counters for {:?}", moves.reason);
        outcome
    }

    /// As [`moves`](Self::moves), for a packet that comes out as it went in.
    #[track_caller]
    pub fn keeps(&mut self, hook: Hook, frame: &[u8], moves: &Moves<'_>) {
        let outcome = self.moves(hook, frame, moves);
        assert_eq!(outcome.bytes, frame, "the program changed the packet");
        assert_eq!((outcome.mark, outcome.departs_ns), (0, 0), "mark and departure time");
    }

    /// Everything that counts packets.
    fn standing(&mut self) -> Standing {
        let hosts = self.datapath().hosts().unwrap_or_else(|error| panic!("{error}"));
        Standing::of(&self.counters(), &hosts)
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

/// What the datapath answers; a refusal ends the test.
#[track_caller]
pub fn sound<T>(answer: throttle_agent::error::Result<T>) -> T {
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("{error}"),
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

/// The instance that `options` name, as an agent leaves it that has put its policy in force.
fn in_force(options: &Options) -> Datapath {
    let mut datapath = sound(Datapath::open(options));
    sound(datapath.take_over());
    datapath
}
