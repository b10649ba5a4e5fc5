//! What parts that a limiter may be made of cost by themselves, in programs of a few instructions.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::Result;

use super::{Effort, HOSTS};
use crate::bpf::{self, Instruction, NEXT, ProgramType, instruction, load, load_map};
use crate::interrupt;
use crate::packets::Frame;
use crate::shim::{DATA, DATA_END, Empty, SOURCE_WORD, Shim};
use crate::sorted::Sorted;

const MAP_LOOKUP_ELEM: i32 = 1;
const KTIME_GET_NS: i32 = 5;
const KTIME_GET_COARSE_NS: i32 = 160;
const LINE_BYTES: u32 = 64;

/// A part by itself.
#[derive(Clone, Copy, Debug)]
enum Part {
    CoarseClock,
    PreciseClock,
    Line,
    Exchange,
}

/// What one part costs above an empty classifier.
#[derive(Clone, Copy, Debug)]
pub struct PartCost {
    /// What it is.
    pub part: &'static str,
    /// Nanoseconds, by [`HOSTS`].
    pub ns: [f64; HOSTS.len()],
}

impl Part {
    const ALL: [Self; 4] = [Self::CoarseClock, Self::PreciseClock, Self::Line, Self::Exchange];

    const fn words(self) -> &'static str {
        match self {
            Self::CoarseClock => "the coarse clock",
            Self::PreciseClock => "the precise clock, which a refusal needs",
            Self::Line => "a cache line of the host's own, read",
            Self::Exchange => "the same, and a word of it exchanged",
        }
    }

    /// A program with nothing else in it. `lines` has one for each of `hosts`.
    fn load(self, lines: &OwnedFd, hosts: u32) -> Result<OwnedFd> {
        let pass = [
            instruction(0xb7, 0, 0, 0, NEXT), // r0 = NEXT
            instruction(0x95, 0, 0, 0, 0),    // exit
        ];
        let call = |helper| vec![instruction(0x85, 0, 0, 0, helper)];
        let body = match self {
            Self::CoarseClock => call(KTIME_GET_COARSE_NS),
            Self::PreciseClock => call(KTIME_GET_NS),
            Self::Line => line(lines, hosts, &[instruction(0x79, 1, 0, 0, 0)]), // r1 = *r0
            Self::Exchange => line(lines, hosts, &exchange()),
        };
        load(ProgramType::Classifier, &[&body[..], &pass].concat())
    }
}

/// `use_line` with r0 at the line whose number the shim has written into the packet.
fn line(lines: &OwnedFd, hosts: u32, use_line: &[Instruction]) -> Vec<Instruction> {
    let [map_low, map_high] = load_map(1, lines);
    let look_up = [
        instruction(0xdc, 4, 0, 0, 32),                 // r4 = be32 r4
        instruction(0x54, 4, 0, 0, (hosts - 1) as i32), // w4 &= hosts - 1
        instruction(0x63, 10, 4, -4, 0),                // *(u32 *)(r10 - 4) = r4
        instruction(0xbf, 2, 10, 0, 0),                 // r2 = r10
        instruction(0x07, 2, 0, 0, -4),                 // r2 += -4
        map_low,                                        // r1 = lines
        map_high,
        instruction(0x85, 0, 0, 0, MAP_LOOKUP_ELEM), // call
        instruction(0x15, 0, 0, use_line.len() as i16, 0), // if r0 == 0 goto out
    ];
    let rest = (look_up.len() + use_line.len()) as i16;
    let read = [
        instruction(0x61, 2, 1, DATA, 0),        // r2 = data
        instruction(0x61, 3, 1, DATA_END, 0),    // r3 = data_end
        instruction(0xbf, 5, 2, 0, 0),           // r5 = r2
        instruction(0x07, 5, 0, 0, 34),          // r5 += 34
        instruction(0x2d, 5, 3, rest + 1, 0),    // if r5 > r3 goto out
        instruction(0x61, 4, 2, SOURCE_WORD, 0), // r4 = *(u32 *)(r2 + 26)
    ];
    [&read[..], &look_up, use_line].concat()
}

/// Reads the first word of the line and exchanges it for one more.
fn exchange() -> [Instruction; 6] {
    const COMPARE_AND_EXCHANGE: i32 = 0xf1;
    [
        instruction(0xbf, 1, 0, 0, 0),                    // r1 = r0
        instruction(0x79, 0, 1, 0, 0),                    // r0 = *r1
        instruction(0xbf, 2, 0, 0, 0),                    // r2 = r0
        instruction(0x07, 2, 0, 0, 1),                    // r2 += 1
        instruction(0xdb, 1, 2, 0, COMPARE_AND_EXCHANGE), // if *r1 == r0 then *r1 = r2
        instruction(0xbf, 1, 0, 0, 0),                    // r1 = r0
    ]
}

/// Measures every part; they take turns with an empty classifier.
pub fn parts(effort: Effort) -> Result<Vec<PartCost>> {
    let mut costs: Vec<_> =
        Part::ALL.map(|part| PartCost { part: part.words(), ns: [0.0; HOSTS.len()] }).into();
    for (column, hosts) in HOSTS.into_iter().enumerate() {
        for (cost, ns) in costs.iter_mut().zip(measure(hosts, effort)?) {
            cost.ns[column] = ns;
        }
    }
    Ok(costs)
}

fn measure(hosts: u32, effort: Effort) -> Result<Vec<f64>> {
    let lines = bpf::array(hosts, LINE_BYTES)?;
    let frame = Frame::udp("10.0.0.1", "192.0.2.7").layer3_bytes(100).bytes();
    let empty = Shim::load(hosts, Empty::load()?.fd().as_fd())?;
    let shim = |part: Part| Shim::load(hosts, part.load(&lines, hosts)?.as_fd());
    let shims = Part::ALL.map(shim).into_iter().collect::<Result<Vec<_>>>()?;
    let mut above_ns = vec![Vec::new(); shims.len()];
    for _ in 0..effort.runs {
        interrupt::check()?;
        let empty_ns = empty.run(&frame, effort.packets)?.1.as_nanos() as f64;
        for (shim, above_ns) in shims.iter().zip(&mut above_ns) {
            let ns = shim.run(&frame, effort.packets)?.1.as_nanos() as f64;
            above_ns.push(ns - empty_ns);
        }
    }
    Ok(above_ns.into_iter().map(|above_ns| Sorted::new(above_ns).median()).collect())
}
