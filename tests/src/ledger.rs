//! A flood that goes on whatever happens, and what of it a limit lets arrive.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::flood::{Flood, RunningFlood};
use crate::measure::{Meter, Sample};
use crate::router::{End, Router};
use crate::scenario::SETTLED;
use crate::traffic::{Family, Transport};

/// What is on its way between the limit and the counters, and the one packet that a bucket with any room passes.
const SLACK_BITS: f64 = 16.0 * 1500.0 * 8.0;
/// In parts of the limit: both sides are counted by the kernel.
const TOLERANCE: f64 = 1.002;
/// What a bucket passes at once after a pause, in parts of a second at the limit: the default.
const BURST_SECONDS: f64 = 0.25;
/// A flood ends by itself after two minutes.
const RENEWAL: Duration = Duration::from_secs(60);

/// How long packets have to arrive at the limit, give or take a fifth, for its bucket to be empty: with any room, it
/// would pass the flood, and a flood that pauses would make room.
const AT_THE_LIMIT: Duration = Duration::from_millis(50);
const A_FIFTH: f64 = 0.2;
/// How long to wait for that; a limit that is not in force never comes to it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Floods a host from the server, and holds what arrives against the most that a limit lets through.
#[derive(Debug)]
pub struct Ledger<'a> {
    flood: Flood<'a>,
    running: RunningFlood,
    started: Instant,
    meter: Meter,
    most_bits_per_second: f64,
    last: Sample,
}

impl<'a> Ledger<'a> {
    /// Begins with a flood of eight times the limit that has spent the burst.
    pub fn open(router: &'a Router, host: End, most_bits_per_second: u64) -> Result<Self> {
        let flood = Flood::new(router, End::Server, host, Family::V4);
        let flood = flood.length(1000).rate(8 * most_bits_per_second);
        let meter = Meter::new(router.namespace(host), Family::V4, Transport::Udp)?;
        let (running, started) = (flood.clone().start()?, Instant::now());
        std::thread::sleep(SETTLED);
        let most_bits_per_second = most_bits_per_second as f64;
        let last = spent(&meter, most_bits_per_second)?;
        Ok(Self { flood, running, started, meter, most_bits_per_second, last })
    }

    /// Forgets what has arrived up to now: there was no limit.
    pub fn skip(&mut self) -> Result<()> {
        self.renew()?;
        std::thread::sleep(SETTLED);
        self.last = spent(&self.meter, self.most_bits_per_second)?;
        Ok(())
    }

    /// Whether no more has arrived since the last look than the limit lets through, and whether packets came
    /// at all.
    ///
    /// # Panics
    /// More has arrived, or next to nothing, or the last look was too long ago to tell.
    pub fn assert_held(&mut self, what: &impl std::fmt::Display) -> Result<()> {
        self.look(what, 0.0)
    }

    /// The same where the bucket may have been lost, and another one with all of its burst took its place.
    ///
    /// # Panics
    /// As with [`assert_held`](Self::assert_held).
    pub fn assert_held_but_for_a_burst(&mut self, what: &impl std::fmt::Display) -> Result<()> {
        self.look(what, BURST_SECONDS * self.most_bits_per_second)
    }

    fn look(&mut self, what: &impl std::fmt::Display, granted_bits: f64) -> Result<()> {
        let now = spent(&self.meter, self.most_bits_per_second)?;
        // Before the counters were read the last time, and after they were read this time.
        let seconds = (Instant::now() - self.last.at).as_secs_f64();
        let arrived = (now.bytes - self.last.bytes) as f64 * 8.0;
        let allowed = self.most_bits_per_second * seconds;
        let slack = allowed * (TOLERANCE - 1.0) + SLACK_BITS;
        assert!(
            slack <= BURST_SECONDS * self.most_bits_per_second / 2.0,
            "{what}: {seconds:.0} s since the last look, in which half a burst goes unnoticed"
        );
        assert!(
            arrived <= allowed + granted_bits + slack,
            "{what}: {arrived:.0} bits arrived in {seconds:.3} s, where {:.0} may",
            allowed + granted_bits
        );
        assert!(
            arrived >= allowed / 2.0 - SLACK_BITS,
            "{what}: {arrived:.0} bits arrived in {seconds:.3} s, where about {allowed:.0} should"
        );
        self.last = now;
        self.renew()
    }

    /// Sends on with another flood before this one ends. The new one comes first, so that the bucket stays as
    /// it is.
    fn renew(&mut self) -> Result<()> {
        if self.started.elapsed() > RENEWAL {
            self.running = self.flood.clone().start()?;
            self.started = Instant::now();
        }
        Ok(())
    }
}

/// The counters at a moment when the bucket is empty, so that no more than the limit may arrive from then on.
fn spent(meter: &Meter, most_bits_per_second: f64) -> Result<Sample> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = meter.sample()?;
    loop {
        std::thread::sleep(AT_THE_LIMIT);
        let now = meter.sample()?;
        let part = now.rate_since(&before).bits_per_second / most_bits_per_second;
        if (part - 1.0).abs() <= A_FIFTH || Instant::now() > deadline {
            return Ok(now);
        }
        before = now;
    }
}
