//! Programs of others on an interface: classifiers that count what they see and give a fixed answer.

use std::fs;
use std::mem;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::programs::tc::{NlOptions, TcAttachOptions, TcAttachType};
use aya::programs::{LinkOrder, SchedClassifier};
use nix::errno::Errno;

use crate::bpf::{self, Numbers, instruction};
use crate::flood::Offered;
use crate::netns::{Namespace, unique_name};

/// Where a program may be pinned.
pub const BPFFS: &str = "/sys/fs/bpf";
/// Shorter frames are address resolution and other talk of the kernel.
pub const LEAST_BYTES: i32 = 1000;

const MAP_LOOKUP_ELEM: i32 = 1;
const ETHERNET_BYTES: i32 = 14;
/// `len` and `mark` of `struct __sk_buff`.
const LEN: i16 = 0;
const MARK: i16 = 8;

/// The two hooks of a link.
pub const HOOKS: [TcAttachType; 2] = [TcAttachType::Ingress, TcAttachType::Egress];

/// Where among the programs of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before every TCX program there is.
    TcxFirst,
    /// After every TCX program there is.
    TcxLast,
    /// A filter of the clsact qdisc, in direct-action mode, with this priority.
    Filter(u16),
}

/// What a program of others counts and answers.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// For every frame: [`NEXT`](bpf::NEXT), [`PASS`](bpf::PASS) or [`DROP`](bpf::DROP).
    pub answer: i32,
    /// Shorter frames are not counted.
    pub least_bytes: i32,
    /// Frames that have this mark are counted once more, by themselves.
    pub mark: u32,
}

impl Program {
    /// Counts frames of at least [`LEAST_BYTES`] and gives `answer`.
    pub const fn answering(answer: i32) -> Self {
        Self { answer, least_bytes: LEAST_BYTES, mark: 0 }
    }

    fn load(self, numbers: &Numbers<4>) -> Result<SchedClassifier> {
        let Self { answer, least_bytes, mark } = self;
        let [map_low, map_high] = bpf::load_map(1, numbers.map());
        let code = [
            instruction(0xbf, 6, 1, 0, 0),               // r6 = r1
            instruction(0x61, 7, 6, LEN, 0),             // r7 = len
            instruction(0xa5, 7, 0, 15, least_bytes),    // if r7 < least goto out
            instruction(0x62, 10, 0, -4, 0),             // *(u32 *)(r10 - 4) = 0
            instruction(0xbf, 2, 10, 0, 0),              // r2 = r10
            instruction(0x07, 2, 0, 0, -4),              // r2 += -4
            map_low,                                     // r1 = numbers
            map_high,                                    //
            instruction(0x85, 0, 0, 0, MAP_LOOKUP_ELEM), // call
            instruction(0x15, 0, 0, 8, 0),               // if r0 == 0 goto out
            instruction(0xb7, 8, 0, 0, 1),               // r8 = 1
            instruction(0x07, 7, 0, 0, -ETHERNET_BYTES), // r7 -= 14
            instruction(0xdb, 0, 8, 0, 0),               // lock *(u64 *)r0 += r8
            instruction(0xdb, 0, 7, 8, 0),               // lock *(u64 *)(r0 + 8) += r7
            instruction(0x61, 1, 6, MARK, 0),            // r1 = mark
            instruction(0x56, 1, 0, 2, mark as i32),     // if w1 != mark goto out
            instruction(0xdb, 0, 8, 16, 0),              // lock *(u64 *)(r0 + 16) += r8
            instruction(0xdb, 0, 7, 24, 0),              // lock *(u64 *)(r0 + 24) += r7
            instruction(0xb7, 0, 0, 0, answer),          // out: r0 = answer
            instruction(0x95, 0, 0, 0, 0),               // exit
        ];
        opened(&bpf::load(bpf::ProgramType::Classifier, &code)?)
    }
}

/// Hands a program that is loaded to aya, which attaches it.
pub fn opened(program: &OwnedFd) -> Result<SchedClassifier> {
    // There is no other way than by a pin.
    let pin = Path::new(BPFFS).join(unique_name());
    bpf::pin(program, &pin)?;
    let opened = SchedClassifier::from_pin(&pin);
    fs::remove_file(&pin)?;
    Ok(opened?)
}

/// Buffers and their layer-3 bytes. A buffer of several segments counts once, with one header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Buffers.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<Offered> for Seen {
    fn from(Offered { packets, bytes, .. }: Offered) -> Self {
        Self { packets, bytes }
    }
}

/// A counting program at one hook. One at a clsact hook stays until its interface vanishes.
#[derive(Debug)]
pub struct Foreign {
    numbers: Numbers<4>,
    /// Holds the link, which detaches when dropped.
    program: SchedClassifier,
}

impl Foreign {
    /// Attaches a program.
    pub fn attach(
        namespace: &Namespace,
        interface: &str,
        hook: TcAttachType,
        place: Place,
        program: Program,
    ) -> Result<Self> {
        let numbers = Numbers::new()?;
        let program = program.load(&numbers)?;
        let mut foreign = Self { numbers, program };
        if let Place::Filter(_) = place {
            make_clsact(namespace, interface)?;
        }
        let attached = namespace.run(|| foreign.attach_here(interface, hook, place))?;
        attached.with_context(|| format!("attaching to {hook:?} of {interface} at {place:?}"))?;
        Ok(foreign)
    }

    fn attach_here(&mut self, interface: &str, hook: TcAttachType, place: Place) -> Result<()> {
        let options = match place {
            Place::TcxFirst => TcAttachOptions::TcxOrder(LinkOrder::first()),
            Place::TcxLast => TcAttachOptions::TcxOrder(LinkOrder::last()),
            Place::Filter(priority) => {
                TcAttachOptions::Netlink(NlOptions { priority, ..NlOptions::default() })
            }
        };
        let id = self.program.attach_with_options(interface, hook, options)?;
        if let Place::Filter(_) = place {
            // It would be removed in the namespace of whoever drops it; its interface takes it along.
            mem::forget(self.program.take_link(id)?);
        }
        Ok(())
    }

    /// The id that the kernel knows the program by.
    pub fn id(&self) -> Result<u32> {
        Ok(self.program.info()?.id())
    }

    /// All frames that it counted.
    pub fn seen(&self) -> Result<Seen> {
        let [packets, bytes, _, _] = self.numbers.read()?;
        Ok(Seen { packets, bytes })
    }

    /// Those of them that had the mark.
    pub fn marked(&self) -> Result<Seen> {
        let [_, _, packets, bytes] = self.numbers.read()?;
        Ok(Seen { packets, bytes })
    }
}

/// Adds a clsact qdisc unless there is one.
pub fn make_clsact(namespace: &Namespace, interface: &str) -> Result<()> {
    match namespace.run(|| aya::programs::tc::qdisc_add_clsact(interface))? {
        Ok(()) | Err(aya::programs::TcError::AlreadyAttached) => Ok(()),
        Err(aya::programs::TcError::NetlinkError(error))
            if error.raw_os_error() == Some(Errno::EEXIST as i32) =>
        {
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("adding a clsact qdisc to {interface}")),
    }
}
