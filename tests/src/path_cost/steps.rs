//! What each step of the program costs: packets that leave it one step later each.

use std::os::fd::AsFd as _;

use anyhow::{Result, anyhow, ensure};
use throttle_agent::policy::{Limit, Rates};
use throttle_common::abi::Side;

use super::{BURST_BYTES, Effort, HOSTS, MOST, behind_shim, packets_for, rows};
use crate::bpf::DROP;
use crate::interrupt;
use crate::packets::Frame;
use crate::prog::{LINK, Program, limits};
use crate::shim::{Empty, Shim};
use crate::sorted::Sorted;

/// Where a packet has got to when it leaves the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Link,
    Headers,
    Host,
    Count,
    Bytes,
    Packets,
}

impl End {
    const ALL: [Self; 6] =
        [Self::Link, Self::Headers, Self::Host, Self::Count, Self::Bytes, Self::Packets];

    /// What is done since the end before, and by which packet it is told.
    const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Link => ["entry, link look-up", "on an interface that is no link"],
            Self::Headers => ["headers, exemptions, count by reason", "to a multicast address"],
            Self::Host => ["host look-up, its limit", "of a host in the table, now exempt"],
            Self::Count => [
                "coarse clock, count by limit and by host",
                "of a host that is limited in the other direction",
            ],
            Self::Bytes => ["bucket of bytes, checked and charged", "of a host with a byte rate"],
            Self::Packets => ["bucket of packets as well", "of a host with both rates"],
        }
    }

    fn frame(self) -> Vec<u8> {
        let to = if self == Self::Headers { "224.0.0.251" } else { "192.0.2.7" };
        Frame::udp("10.0.0.1", to).layer3_bytes(100).bytes()
    }

    /// The limits that are in force one after the other while hosts are made and while the clock runs.
    fn limits(self) -> Vec<Limit> {
        let each = |rates| limits::each("10.0.0.0/8", rates);
        let bytes = limits::rated(400_000_000_000, BURST_BYTES);
        match self {
            Self::Link | Self::Headers | Self::Bytes => vec![each(bytes)],
            Self::Host => vec![each(bytes), limits::pass("10.0.0.0/8")],
            Self::Count => vec![Limit { up: Rates::default(), ..each(bytes) }],
            Self::Packets => vec![each(rows::both())],
        }
    }

    fn program(self) -> Result<Program> {
        let mut program = Program::open(2 * MOST);
        if self != Self::Link {
            let attached = program.datapath().attach(LINK, Side::Far);
            attached.map_err(|error| anyhow!("{error}"))?;
        }
        Ok(program)
    }

    /// Puts it behind a shim, with every host made.
    fn prepare(self, program: &mut Program, hosts: u32) -> Result<Shim> {
        let path = behind_shim(program, hosts)?;
        for limit in self.limits() {
            program.set(&limit);
            path.run(&self.frame(), packets_for(hosts))?;
        }
        Ok(path)
    }
}

/// What one step costs, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct StepCost {
    /// What is done.
    pub step: &'static str,
    /// The packet that leaves the program behind it.
    pub packet: &'static str,
    /// The step by itself, and the whole way up to its end, above an empty classifier, by [`HOSTS`].
    pub ns: [[f64; 2]; HOSTS.len()],
}

/// Measures every step; all programs take turns.
pub fn steps(effort: Effort) -> Result<Vec<StepCost>> {
    let programs = End::ALL.map(End::program).into_iter().collect::<Result<Vec<_>>>();
    let mut programs = programs?;
    let mut costs: Vec<_> = End::ALL
        .map(|end| {
            let [step, packet] = end.words();
            StepCost { step, packet, ns: [[0.0; 2]; HOSTS.len()] }
        })
        .into();
    for (column, hosts) in HOSTS.into_iter().enumerate() {
        for (cost, ns) in costs.iter_mut().zip(measure(&mut programs, hosts, effort)?) {
            cost.ns[column] = ns;
        }
        eprintln!("steps of the program, {hosts} hosts: done");
    }
    Ok(costs)
}

/// For each step, medians of the runs' differences: to the step before, and to the empty classifier.
fn measure(programs: &mut [Program], hosts: u32, effort: Effort) -> Result<Vec<[f64; 2]>> {
    let empty = Shim::load(hosts, Empty::load()?.fd().as_fd())?;
    let mut shims = Vec::new();
    for (end, program) in End::ALL.into_iter().zip(programs) {
        shims.push((end.frame(), end.prepare(program, hosts)?));
    }
    let plain = End::Bytes.frame();
    let (mut by_itself, mut in_all) =
        (vec![Vec::new(); shims.len()], vec![Vec::new(); shims.len()]);
    for _ in 0..effort.runs {
        interrupt::check()?;
        let empty_ns = empty.run(&plain, effort.packets)?.1.as_nanos() as f64;
        let mut before_ns = empty_ns;
        for (number, (frame, shim)) in shims.iter().enumerate() {
            let (answer, duration) = shim.run(frame, effort.packets)?;
            ensure!(answer != DROP, "the packet {} was dropped", End::ALL[number].words()[1]);
            let ns = duration.as_nanos() as f64;
            by_itself[number].push(ns - before_ns);
            in_all[number].push(ns - empty_ns);
            before_ns = ns;
        }
    }
    let medians = by_itself.into_iter().zip(in_all);
    Ok(medians.map(|(step, all)| [step, all].map(|ns| Sorted::new(ns).median())).collect())
}
