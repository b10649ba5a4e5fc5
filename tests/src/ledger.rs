//! A flood that goes on whatever happens, and what of it a limit lets arrive.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::flood::{Flood, RunningFlood};
use crate::measure::{Meter, Sample};
use crate::router::{End, Router};
use crate::scenario::SETTLED;
use crate::traffic::{Family, Transport};

/// Readings of the clock and of the counters are apart by some packets.
const SLACK_BITS: f64 = 16.0 * 1500.0 * 8.0;
/// In parts of the limit.
const TOLERANCE: f64 = 1.02;
/// A flood ends by itself after two minutes.
const RENEWAL: Duration = Duration::from_secs(60);

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
        let last = meter.sample()?;
        let most_bits_per_second = most_bits_per_second as f64;
        Ok(Self { flood, running, started, meter, most_bits_per_second, last })
    }

    /// Forgets what has arrived up to now: there was no limit.
    pub fn skip(&mut self) -> Result<()> {
        self.renew()?;
        std::thread::sleep(SETTLED);
        self.last = self.meter.sample()?;
        Ok(())
    }

    /// Whether no more has arrived since the last look than the limit lets through, and whether packets came
    /// at all.
    ///
    /// # Panics
    /// More has arrived, or next to nothing.
    pub fn assert_held(&mut self, what: &impl std::fmt::Display) -> Result<()> {
        let now = self.meter.sample()?;
        let seconds = (now.at - self.last.at).as_secs_f64();
        let arrived = (now.bytes - self.last.bytes) as f64 * 8.0;
        let allowed = self.most_bits_per_second * seconds;
        assert!(
            arrived <= allowed * TOLERANCE + SLACK_BITS,
            "{what}: {arrived:.0} bits arrived in {seconds:.3} s, where {allowed:.0} may"
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
