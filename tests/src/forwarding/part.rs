//! One part of the benchmark: contestants that take turns under the same floods.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::rig::{Rig, Turn};
use super::{Contestant, Load};
use crate::sorted::Sorted;
use crate::traffic::Family;

/// Room for so many sources that no flood fills more than a quarter of it: none is forgotten in the turns of
/// others.
pub const AMPLE_ROOM: u32 = 1 << 22;
/// So many packets, in percent, must come through, or be dropped, for a limiter to be in force.
const NEARLY_ALL_PERCENT: f64 = 99.0;

/// Floods that all contestants of a part meet.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// IP version of the packets.
    pub family: Family,
    /// What limits do with them.
    pub load: Load,
    /// Sources that limiters have room for.
    pub room: u32,
    /// How many sources send, one after the other.
    pub sources: &'static [u32],
}

/// How long to measure, and what.
#[derive(Clone, Copy, Debug)]
pub struct Effort<'a> {
    /// Runs in which each contestant has a turn.
    pub runs: u32,
    /// Time that the processor runs in a turn.
    pub window: Duration,
    /// Only contestants whose row contains this, and those that they are compared with.
    pub only: &'a str,
}

/// What one contestant cost under one flood.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its part.
    pub part: Part,
    /// How many sources sent.
    pub sources: u32,
    /// Who it was.
    pub contestant: Contestant,
    /// Time of a packet, in nanoseconds: the median of the runs.
    pub ns_per_packet: f64,
    /// From the first to the third quartile, in percent of the median.
    pub spread_percent: f64,
    /// Above the contestant that others are compared with: the median of the runs' differences.
    pub above_ns: f64,
    /// The same as the median of the runs' ratios.
    pub ratio: f64,
    /// Packets that came to the server, in percent: the median of the runs.
    pub arrived_percent: f64,
}

impl Part {
    /// Sets up its contestants and lets them take turns; none if none is wanted.
    pub fn run(&self, effort: Effort<'_>) -> Result<Vec<Row>> {
        let Self { family, load, room, .. } = *self;
        let is_wanted = |contestant: Contestant, sources: &u32| {
            let is_reference = contestant == self.reference();
            contestant.takes_part(load, family, *sources)
                && (is_reference || self.name(contestant, *sources).contains(effort.only))
        };
        let mut rigs = Vec::new();
        for contestant in Contestant::ALL {
            if self.sources.iter().any(|sources| is_wanted(contestant, sources)) {
                rigs.push((contestant, Rig::new(contestant, family, load, room)?));
            }
        }
        let mut rows = Vec::new();
        for sources in self.sources {
            let wanted = |(contestant, _): &&(Contestant, Rig)| is_wanted(*contestant, sources);
            let rigs: Vec<_> = rigs.iter().filter(wanted).collect();
            if rigs.len() > 1 {
                rows.extend(self.flood(&rigs, *sources, effort)?);
            }
        }
        Ok(rows)
    }

    fn flood(
        &self,
        rigs: &[&(Contestant, Rig)],
        sources: u32,
        effort: Effort<'_>,
    ) -> Result<Vec<Row>> {
        let mut turns = vec![Vec::new(); rigs.len()];
        for (contestant, rig) in rigs {
            rig.warm_up(sources).with_context(|| self.name(*contestant, sources))?;
        }
        for _ in 0..effort.runs {
            for ((contestant, rig), turns) in rigs.iter().zip(&mut turns) {
                let turn = rig.turn(sources, effort.window);
                turns.push(turn.with_context(|| self.name(*contestant, sources))?);
            }
        }
        let reference = &turns[0];
        let row = |((contestant, _), turns): (&&(Contestant, Rig), &Vec<Turn>)| {
            let row = Row::new(*self, sources, *contestant, turns, reference);
            eprintln!("{row}");
            row
        };
        Ok(rigs.iter().zip(&turns).map(row).collect())
    }

    /// The contestant that others are compared with.
    pub const fn reference(&self) -> Contestant {
        match self.load {
            Load::Pass => Contestant::Nothing,
            Load::Excess => Contestant::Classifier,
        }
    }

    /// Whether limiters have room for all sources.
    pub fn has_room(&self) -> bool {
        self.sources.iter().all(|sources| *sources <= self.room)
    }

    fn name(&self, contestant: Contestant, sources: u32) -> String {
        format!("{self}, {sources} sources, {}", contestant.name(self.load))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, load, room, .. } = self;
        write!(formatter, "{load}, {family}")?;
        if !self.has_room() {
            write!(formatter, ", room for {room} sources")?;
        }
        Ok(())
    }
}

impl Row {
    fn new(
        part: Part,
        sources: u32,
        contestant: Contestant,
        turns: &[Turn],
        reference: &[Turn],
    ) -> Self {
        let sorted = |value: &dyn Fn(&Turn, &Turn) -> f64| {
            Sorted::new(turns.iter().zip(reference).map(|(turn, other)| value(turn, other)))
        };
        let median = |value: &dyn Fn(&Turn, &Turn) -> f64| sorted(value).median();
        let ns = sorted(&|turn, _| turn.ns_per_packet());
        let ns_per_packet = ns.median();
        Self {
            part,
            sources,
            contestant,
            ns_per_packet,
            spread_percent: (ns.quantile(0.75) - ns.quantile(0.25)) / ns_per_packet * 100.0,
            above_ns: median(&|turn, other| turn.ns_per_packet() - other.ns_per_packet()),
            ratio: median(&|turn, other| turn.ns_per_packet() / other.ns_per_packet()),
            arrived_percent: median(&|turn, _| turn.arrived_percent()),
        }
    }

    /// Whether packets came through, or did not, as the contestant was told; always where it had too little room.
    pub fn is_in_force(&self) -> bool {
        let as_told = match self.part.load {
            Load::Pass => self.arrived_percent,
            Load::Excess => 100.0 - self.arrived_percent,
        };
        as_told >= NEARLY_ALL_PERCENT || !self.part.has_room()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.part.name(self.contestant, self.sources);
        let Self { ns_per_packet, ratio, arrived_percent, .. } = self;
        write!(
            formatter,
            "{name}: {ns_per_packet:.0} ns, {ratio:.2} times, {arrived_percent:.2} % arrived"
        )
    }
}
