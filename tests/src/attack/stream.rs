//! The limited hosts: what they send and are sent, and what arrives of it.

use std::time::Instant;

use anyhow::Result;

use crate::bars::{Bar, Reading};
use crate::flood::{Flood, RunningFlood};
use crate::measure::Sample;
use crate::router::{End, Router};
use crate::scenario::ends;
use crate::sink::CountingSink;
use crate::spoof;
use crate::traffic::{Case, MBIT};

/// What each host is offered, and offers.
const OFFERED: u64 = 25 * MBIT;
/// Where it is sent, apart from the CPU of the attack.
const CPU: usize = 1 - spoof::CPU;
/// What the hosts of the table are held to, percent above or below.
const TOLERANCE: f64 = 2.0;
/// The default burst.
const BURST_SECONDS: f64 = 0.25;

/// A limited host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has a limit of its own from before the attack.
    Configured,
    /// Its traffic made it before the attack.
    Made,
    /// It is given a limit of its own in the midst of the attack.
    Late,
    /// It sends its first packet in the midst of the attack.
    Newcomer,
}

impl Role {
    /// The host.
    pub(super) const fn host(self) -> End {
        End::host(match self {
            Self::Configured => 0,
            Self::Made => 1,
            Self::Late => 2,
            Self::Newcomer => 3,
        })
    }

    /// Its limit, in each direction.
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Configured => 10 * MBIT,
            Self::Late => 12 * MBIT,
            Self::Made | Self::Newcomer => 8 * MBIT,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Made => "made",
            Self::Late => "configured late",
            Self::Newcomer => "newcomer",
        }
    }
}

/// What one host got in one case, in bits per second.
#[derive(Clone, Debug)]
pub struct HostRate {
    /// Whose.
    pub what: String,
    /// The host's limit.
    pub limit: u64,
    /// The mean before the attack; `None` for a host that was not there.
    pub before: Option<f64>,
    /// The mean during it.
    pub mean: f64,
    /// In the worst second.
    pub least: f64,
    /// In the best second.
    pub most: f64,
}

/// A flood between a limited host and the server, and what arrives of it.
pub(super) struct Stream {
    role: Role,
    case: Case,
    sink: CountingSink,
    _flood: RunningFlood,
    started: Instant,
    before: Option<f64>,
    samples: Vec<Sample>,
}

impl Stream {
    /// Floods the host in every case.
    pub(super) fn start_all(router: &Router, role: Role) -> Result<Vec<Self>> {
        Case::ALL.into_iter().map(|case| Self::start(router, role, case)).collect()
    }

    fn start(router: &Router, role: Role, case: Case) -> Result<Self> {
        let Case { direction, family } = case;
        let (from, to) = ends(role.host(), End::Server, direction);
        let sink = CountingSink::bind(router, to, family)?;
        let started = Instant::now();
        let flood = Flood::new(router, from, to, family).port(sink.port());
        let flood = flood.rate(OFFERED).on_cpus([CPU]).start()?;
        let samples = vec![sink.sample()];
        Ok(Self { role, case, sink, _flood: flood, started, before: None, samples })
    }

    /// Who floods.
    pub(super) const fn role(&self) -> Role {
        self.role
    }

    /// Which way, in which IP version.
    pub(super) const fn case(&self) -> Case {
        self.case
    }

    /// Packets that have arrived.
    pub(super) fn arrived(&self) -> u64 {
        self.sink.sample().packets
    }

    /// Ends a second.
    pub(super) fn note(&mut self) {
        self.samples.push(self.sink.sample());
    }

    /// Forgets what was noted: only what arrives from now on counts.
    pub(super) fn begin(&mut self) {
        self.samples = vec![self.sink.sample()];
    }

    /// Ends the time before the attack.
    pub(super) fn begin_attack(&mut self) {
        self.note();
        self.before = Some(self.mean());
        self.begin();
    }

    fn what(&self) -> String {
        format!("{}, {}", self.role.name(), self.case)
    }

    fn last(&self) -> Sample {
        self.samples[self.samples.len() - 1]
    }

    fn mean(&self) -> f64 {
        self.last().rate_since(&self.samples[0]).bits_per_second
    }

    /// What the host got.
    pub(super) fn rate(&self) -> HostRate {
        let seconds = self.samples.windows(2).map(|pair| pair[1].rate_since(&pair[0]));
        let seconds: Vec<_> = seconds.map(|rate| rate.bits_per_second).collect();
        HostRate {
            what: self.what(),
            limit: self.role.limit(),
            before: self.before,
            mean: self.mean(),
            least: seconds.iter().copied().fold(f64::INFINITY, f64::min),
            most: seconds.iter().copied().fold(0.0, f64::max),
        }
    }

    /// A host of the table gets its limit. One that comes while the table is full gets no more than its
    /// limit and one burst.
    pub(super) fn reading(&self) -> Reading {
        let (what, limit) = (self.what(), self.role.limit() as f64);
        if self.role != Role::Newcomer {
            return Reading::new(what, self.mean(), limit, "bit/s", Bar::Within(TOLERANCE));
        }
        let last = self.last();
        let seconds = (last.at - self.started).as_secs_f64() + BURST_SECONDS;
        let (bits, most) = ((last.bytes * 8) as f64, limit * seconds);
        Reading::new(what, bits, most, "bit", Bar::AtMost(100.0 + TOLERANCE))
    }
}
