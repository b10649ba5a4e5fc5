//! The host table under attack: more spoofed hosts than it has room for, while others keep their limits.
//!
//! One host has a limit of its own, one was made by traffic of a listed prefix before the attack, one is
//! given a limit of its own in the midst of it, and one only sends its first packet then. All of them
//! send and are sent more than their limit.

mod stream;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use throttle_common::abi::OVERFLOW_BUCKETS;

pub use self::stream::HostRate;

use self::stream::{Role, Stream};
use crate::agent::{Counters, HostTable};
use crate::bars::{Bar, Reading};
use crate::footprint::Footprint;
use crate::interrupt;
use crate::lab::Lab;
use crate::measure::Meter;
use crate::router::{End, Router, lan_prefix};
use crate::scenario::SETTLED;
use crate::spoof::{self, SpoofedFlood};
use crate::traffic::{Case, Direction, Family, Transport};

/// Hosts that the table is asked to have room for.
const MAX_HOSTS: &str = "65536";
/// The hosts that come in the midst of the attack come so long after its start.
const LATE_AFTER: Duration = Duration::from_secs(2);
/// Each spoofed host may send one packet per second, and one at once.
const SPOOFED_LIMIT: &str = "--scope each --up 8kbit --up-pps 1pps --pps-burst 1";
/// How the log names what is full.
const IN_LOG: &str = "host table";
/// What the agent may take beyond its maps for each host of the table.
const OWN_BYTES_PER_HOST: u64 = 512;
/// What limits set in the midst of the attack may take in the kernel.
const LIMIT_BYTES: u64 = 4096;
/// An attack that does not get all its sources through by then never will.
const LONGEST: Duration = Duration::from_secs(100);
const SECOND: Duration = Duration::from_secs(1);

/// An attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// The IP version of the spoofed packets.
    pub family: Family,
    /// How many sources they have.
    pub sources: u32,
    /// How many of them the program must have seen.
    pub least_sources: u32,
    /// How long to attack, or longer until that many were seen.
    pub window: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Findings {
    /// How long it went on.
    pub seconds: f64,
    /// Processor time that the attacker had of it.
    pub cpu_seconds: f64,
    /// Spoofed packets sent.
    pub sent: u64,
    /// Spoofed packets that the program counted.
    pub seen: u64,
    /// Different sources among them, at least.
    pub distinct: u64,
    /// Most hosts in the table.
    pub tracked: u64,
    /// Hosts that the table has room for.
    pub capacity: u64,
    /// Packets of hosts that it had no room for.
    pub overflowed: u64,
    /// Packets by reason, where there were any.
    pub reasons: Vec<(String, u64)>,
    /// Spoofed packets that arrived at the server.
    pub arrived: u64,
    /// Rates of the limited hosts.
    pub rates: Vec<HostRate>,
    /// Memory before the attack.
    pub before: Footprint,
    /// The most memory taken during it.
    pub peak: Footprint,
    /// What the log says of the host table.
    pub log: Vec<String>,
    /// What is held against a bar.
    pub readings: Vec<Reading>,
}

/// The part of `stats -j` that is read here.
#[derive(Debug, Deserialize)]
struct Stats {
    limits: Vec<LimitUsage>,
    reasons: BTreeMap<String, u64>,
    hosts: HostTable,
}

#[derive(Debug, Deserialize)]
struct LimitUsage {
    prefix: String,
    up: Counters,
}

impl Attack {
    /// Attacks a new router.
    pub fn run(&self) -> Result<Findings> {
        let lab = self.lab()?;
        let mut streams = Stream::start_all(&lab.router, Role::Configured)?;
        streams.extend(Stream::start_all(&lab.router, Role::Made)?);
        interrupt::sleep(2 * SETTLED)?;
        streams.iter_mut().for_each(Stream::begin);
        interrupt::sleep(2 * SECOND)?;
        let (stats, before) = (stats(&lab)?, Footprint::of(&lab.agent)?);
        let log_lines = lab.agent.log().lines().count();
        let meter = Meter::new(lab.router.namespace(End::Server), self.family, Transport::Udp)?;
        streams.iter_mut().for_each(Stream::begin_attack);
        let (first, sinks) = (meter.sample()?, self.arrived(&streams));
        let flood = SpoofedFlood::start(&lab.router, self.family, self.sources)?;
        let (tracked, peak) = self.attack(&lab, &flood, &mut streams)?;
        let (sent, cpu_seconds) = flood.stop()?;
        let seconds = first.at.elapsed().as_secs_f64();
        // What is still on its way arrives.
        interrupt::sleep(SECOND / 5)?;
        let (last, stats_after) = (meter.sample()?, self::stats(&lab)?);
        let of_hosts = self.arrived(&streams) - sinks;
        let usage = |stats: &Stats| spoofed(stats, self.family);
        let (usage, usage_before) = (usage(&stats_after)?, usage(&stats)?);
        let passed = usage.passed_packets - usage_before.passed_packets;
        let seen = passed + usage.excess_packets - usage_before.excess_packets;
        let reasons = stats_after.reasons.iter().map(|(name, count)| {
            (name.clone(), count - stats.reasons.get(name).copied().unwrap_or(0))
        });
        let log = lab.agent.log();
        let log = log.lines().skip(log_lines).filter(|line| line.contains(IN_LOG));
        let mut findings = Findings {
            seconds,
            cpu_seconds,
            sent,
            seen,
            distinct: self.distinct(sent, seen),
            tracked: tracked.max(stats_after.hosts.tracked),
            capacity: stats_after.hosts.capacity,
            overflowed: stats_after.hosts.overflowed - stats.hosts.overflowed,
            reasons: reasons.filter(|(_, count)| *count > 0).collect(),
            arrived: (last.packets - first.packets).saturating_sub(of_hosts),
            rates: streams.iter().map(Stream::rate).collect(),
            before,
            peak,
            log: log.map(str::to_owned).collect(),
            readings: streams.iter().map(Stream::reading).collect(),
        };
        findings.readings.extend(self.readings(&findings, passed));
        Ok(findings)
    }

    fn lab(&self) -> Result<Lab> {
        let lab = Lab::with(Router::new()?, &["--iface", "lan0", "--max-hosts", MAX_HOSTS])?;
        configure(&lab, Role::Configured)?;
        lab.limit_both(|family| lan_prefix(0, family), "each", Role::Made.limit())?;
        lab.limit_set(&format!("{} {SPOOFED_LIMIT}", spoof::prefix(self.family)))?;
        Ok(lab)
    }

    /// Samples every second until the attack is over; returns the most hosts that the table held and the
    /// most memory that was taken.
    fn attack(
        &self,
        lab: &Lab,
        flood: &SpoofedFlood,
        streams: &mut Vec<Stream>,
    ) -> Result<(u64, Footprint)> {
        let (start, mut tracked, mut second) = (Instant::now(), 0, 0);
        let mut peak = Footprint::of(&lab.agent)?;
        loop {
            second += 1;
            interrupt::sleep((start + SECOND * second).saturating_duration_since(Instant::now()))?;
            streams.iter_mut().for_each(Stream::note);
            if SECOND * second == LATE_AFTER {
                configure(lab, Role::Late)?;
                streams.extend(Stream::start_all(&lab.router, Role::Late)?);
                streams.extend(Stream::start_all(&lab.router, Role::Newcomer)?);
                interrupt::sleep(SETTLED)?;
                let late = streams.iter_mut().filter(|stream| stream.role() == Role::Late);
                late.for_each(Stream::begin);
                second = start.elapsed().as_secs() as u32;
            }
            let stats = stats(lab)?;
            tracked = tracked.max(stats.hosts.tracked);
            peak = peak.max(&Footprint::of(&lab.agent)?);
            let usage = spoofed(&stats, self.family)?;
            let seen = usage.passed_packets + usage.excess_packets;
            let is_done = start.elapsed() >= self.window
                && self.distinct(flood.sent(), seen) >= self.least_sources.into();
            if is_done || start.elapsed() >= LONGEST {
                return Ok((tracked, peak));
            }
        }
    }

    /// Sources that the program has seen for certain. They take turns, so that one is missed only when its
    /// packet was lost in every round.
    fn distinct(&self, sent: u64, seen: u64) -> u64 {
        let (sources, lost) = (u64::from(self.sources), sent.saturating_sub(seen));
        match sent / sources {
            0 => seen.min(sent),
            rounds => sources.saturating_sub(lost / rounds),
        }
    }

    /// Packets of the limited hosts that arrived at the server in the attack's family.
    fn arrived(&self, streams: &[Stream]) -> u64 {
        let up = Case { direction: Direction::Up, family: self.family };
        streams.iter().filter(|stream| stream.case() == up).map(Stream::arrived).sum()
    }

    fn readings(&self, findings: &Findings, passed: u64) -> Vec<Reading> {
        let Findings { seconds, capacity, before, peak, .. } = findings;
        let family = self.family;
        // A burst of one packet, one more that finds any room left, and one per second.
        let per_bucket = 2.0 + seconds;
        let bound = (capacity + u64::from(OVERFLOW_BUCKETS)) as f64 * per_bucket;
        let reading = |what: &str, measured: u64, limit: f64, unit, bar| {
            Reading::new(format!("{family} attack, {what}"), measured as f64, limit, unit, bar)
        };
        let (least, most) = (Bar::AtLeast(100.0), Bar::AtMost(100.0));
        // A host that may send one packet per second keeps its place for that long.
        let in_table = *capacity as f64 * per_bucket;
        let overflowed = (findings.seen as f64 - in_table).max(1.0);
        let lines = findings.log.len() as u64;
        let map_bytes = (before.map_bytes + LIMIT_BYTES) as f64;
        let own_bytes = (capacity * OWN_BYTES_PER_HOST) as f64;
        let resident_bytes = peak.map_bytes as f64 + own_bytes;
        vec![
            reading("sources", findings.distinct, self.least_sources.into(), "", least),
            reading("passed by the program", passed, bound, "packet", most),
            reading("arrived at the server", findings.arrived, bound, "packet", most),
            // The server's backlog may lose some.
            reading(
                "arrived of those passed",
                findings.arrived,
                passed as f64,
                "packet",
                Bar::AtLeast(90.0),
            ),
            reading("hosts in the table", findings.tracked, *capacity as f64, "", most),
            reading("overflowed in stats", findings.overflowed, overflowed, "packet", least),
            reading("maps", peak.map_bytes, map_bytes, "B", most),
            reading("agent, resident", peak.resident_bytes, resident_bytes, "B", most),
            reading("agent, own", peak.anonymous_bytes, own_bytes, "B", most),
            reading("lines in the log", lines, 1.0, "", least),
            reading("lines in the log", lines, seconds.max(1.0), "", most),
        ]
    }
}

/// Gives a host a limit of its own.
fn configure(lab: &Lab, role: Role) -> Result<()> {
    lab.limit_both(|family| role.host().prefix(family), "each", role.limit())
}

fn stats(lab: &Lab) -> Result<Stats> {
    lab.agent.json("stats")
}

/// The counters of the spoofed range.
fn spoofed(stats: &Stats, family: Family) -> Result<Counters> {
    let limit = stats.limits.iter().find(|limit| limit.prefix == spoof::prefix(family));
    Ok(limit.context("stats lacks the limit of the spoofed range")?.up)
}
