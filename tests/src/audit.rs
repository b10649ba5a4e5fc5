//! Floods of one host, audited: what was sent, what the agent counted and what the far end received.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::agent::Counters;
use crate::bars::{Bar, Reading};
use crate::flood::{Flood, Offered};
use crate::lab::Lab;
use crate::measure::{Meter, Rate, Sample};
use crate::router::End;
use crate::scenario::{SETTLED, ends};
use crate::traffic::{Case, Transport};

/// After this time without a packet nothing is on its way any more.
const QUIET: Duration = Duration::from_millis(40);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The books of one host and case, opened before its traffic begins.
#[derive(Debug)]
pub struct Books {
    host: End,
    case: Case,
    meter: Meter,
    arrived: Sample,
    counted: Counters,
}

/// What happened since the books were opened.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Which traffic.
    pub case: Case,
    /// Layer-3 bytes that the far end received.
    pub arrived_bytes: u64,
    /// Packets that the far end received.
    pub arrived_packets: u64,
    /// What the agent counted.
    pub counted: Counters,
}

impl Books {
    /// Opens the books on what `host` exchanges with `peer`.
    pub fn open(
        lab: &Lab,
        (host, peer): (End, End),
        case: Case,
        transport: Transport,
    ) -> Result<Self> {
        let (_, receiver) = ends(host, peer, case.direction);
        let meter = Meter::new(lab.router.namespace(receiver), case.family, transport)?;
        let (arrived, counted) = (meter.sample()?, counters(lab, host, case)?);
        Ok(Self { host, case, meter, arrived, counted })
    }

    /// Closes them at a moment around which nothing arrives.
    pub fn close(&self, lab: &Lab) -> Result<Entry> {
        let deadline = Instant::now() + PATIENCE;
        let mut arrived = self.meter.sample()?;
        let now = loop {
            thread::sleep(QUIET);
            // A sender may try again after a while: what is counted is what has arrived both before and
            // after.
            let now = counters(lab, self.host, self.case)?;
            thread::sleep(QUIET);
            let after = self.meter.sample()?;
            if after.packets == arrived.packets {
                break now;
            }
            ensure!(Instant::now() < deadline, "{}: packets arrive without end", self.case);
            arrived = after;
        };
        let before = self.counted;
        Ok(Entry {
            case: self.case,
            arrived_bytes: arrived.bytes - self.arrived.bytes,
            arrived_packets: arrived.packets - self.arrived.packets,
            counted: Counters {
                passed_bytes: now.passed_bytes - before.passed_bytes,
                passed_packets: now.passed_packets - before.passed_packets,
                excess_bytes: now.excess_bytes - before.excess_bytes,
                excess_packets: now.excess_packets - before.excess_packets,
            },
        })
    }
}

impl Entry {
    /// Panics unless the far end received what the agent let through, to the byte.
    pub fn assert_agrees(&self) {
        let counted = (self.counted.passed_packets, self.counted.passed_bytes);
        let arrived = (self.arrived_packets, self.arrived_bytes);
        assert_eq!(counted, arrived, "packets and bytes, counted and arrived: {self}");
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, arrived_bytes, arrived_packets, counted } = self;
        write!(formatter, "{case}: arrived {arrived_packets} packets of {arrived_bytes} bytes; ")?;
        let Counters { passed_packets, passed_bytes, excess_packets, excess_bytes } = counted;
        write!(formatter, "passed {passed_packets} of {passed_bytes}, ")?;
        write!(formatter, "excess {excess_packets} of {excess_bytes}")
    }
}

/// One audited flood.
#[derive(Clone, Copy, Debug)]
pub struct Audit {
    /// What arrived and was counted, from the first packet to the last.
    pub entry: Entry,
    /// What was sent.
    pub offered: Offered,
    /// What arrived in the window after [`SETTLED`].
    pub rate: Rate,
}

impl Audit {
    /// The rate that arrived, held against `limit`.
    pub fn reading(&self, limit: u64, tolerance: f64) -> Reading {
        let what = format!("{}", self.entry.case);
        let rate = self.rate.bits_per_second;
        Reading::new(what, rate, limit as f64, "bit/s", Bar::Within(tolerance))
    }
}

/// Floods between `host` and `peer` in every case at once, as `adjust` makes them, until they are
/// [`SETTLED`] and for `window`.
pub fn floods<'a>(
    lab: &'a Lab,
    (host, peer): (End, End),
    cases: &[Case],
    window: Duration,
    adjust: impl Fn(Flood<'a>) -> Flood<'a>,
) -> Result<Vec<Audit>> {
    let open = |&case: &Case| Books::open(lab, (host, peer), case, Transport::Udp);
    let books = cases.iter().map(open).collect::<Result<Vec<_>>>()?;
    let start = |case: &Case| {
        let (from, to) = ends(host, peer, case.direction);
        adjust(Flood::new(&lab.router, from, to, case.family)).start()
    };
    let floods = cases.iter().map(start).collect::<Result<Vec<_>>>()?;
    let sample = || books.iter().map(|book| book.meter.sample()).collect::<Result<Vec<_>>>();
    thread::sleep(SETTLED);
    let first = sample()?;
    thread::sleep(window);
    let last = sample()?;
    let offered: Vec<_> = floods.into_iter().map(|flood| flood.stop()).collect();
    let rates = first.iter().zip(last).map(|(first, last)| last.rate_since(first));
    let audits = books.iter().zip(offered).zip(rates);
    audits
        .map(|((books, offered), rate)| Ok(Audit { entry: books.close(lab)?, offered, rate }))
        .collect()
}

/// What the agent counted for a host; nothing for one that has not sent or received yet.
pub fn counters(lab: &Lab, host: End, case: Case) -> Result<Counters> {
    let address = host.address(case.family);
    if lab.agent.cli(&format!("--json host show {address}"))?.code == Some(3) {
        return Ok(Counters::default());
    }
    Ok(lab.agent.host(address)?.of(case.direction))
}
