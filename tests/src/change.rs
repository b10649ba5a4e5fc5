//! A limit that changes while traffic flows: when each value was asked for, and what arrived all the time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bars::{Bar, Reading};
use crate::measure::{Meter, Sample};
use crate::scenario::SETTLED;

/// How long after the command has returned the old rate may still be seen.
const GRACE: Duration = Duration::from_millis(50);
/// One packet may fall on the other side of each edge of a window.
const PACKET_BITS: f64 = 1500.0 * 8.0;

/// A limit and when the command that set it began and returned.
#[derive(Clone, Copy, Debug)]
struct Change {
    limit: u64,
    asked: Instant,
    done: Instant,
}

/// What one run recorded.
#[derive(Clone, Debug)]
pub struct Record {
    changes: Vec<Change>,
    samples: Vec<Sample>,
}

impl Record {
    /// Has `set` put each of `limits` in force for the time `stay`, while a thread samples what arrives;
    /// calls `look` after each change, and before the next.
    pub fn take(
        meter: &Meter,
        limits: &[u64],
        stay: Duration,
        mut set: impl FnMut(u64) -> Result<()>,
        mut look: impl FnMut() -> Result<()>,
    ) -> Result<Self> {
        thread::sleep(SETTLED);
        let end = Instant::now() + stay * limits.len() as u32 + SETTLED;
        let mut changes = Vec::new();
        let samples = thread::scope(|scope| -> Result<_> {
            let sampling = scope.spawn(|| meter.series(Duration::from_millis(50), end));
            for &limit in limits {
                let asked = Instant::now();
                set(limit)?;
                changes.push(Change { limit, asked, done: Instant::now() });
                look()?;
                thread::sleep(stay);
                look()?;
            }
            sampling.join().expect("sampling does not panic")
        })?;
        Ok(Self { changes, samples })
    }

    /// Whether each limit was in force soon, exactly, and never absent.
    pub fn readings(&self) -> Vec<Reading> {
        [self.new_rates(), self.no_gaps()].concat()
    }

    /// From the grace on, the mean until the next change is the new limit, and so is every 50 ms.
    fn new_rates(&self) -> Vec<Reading> {
        let ends = self.changes.iter().skip(1).map(|change| change.asked);
        let last = self.samples[self.samples.len() - 1].at;
        let phases = self.changes.iter().zip(ends.chain([last]));
        phases
            .flat_map(|(change, end)| {
                let limit = change.limit as f64;
                let within =
                    |sample: &&Sample| sample.at >= change.done + GRACE && sample.at <= end;
                let samples: Vec<_> = self.samples.iter().filter(within).collect();
                let (first, last) = (samples[0], samples[samples.len() - 1]);
                let mean = last.rate_since(first).bits_per_second;
                let windows = samples.windows(2).map(|pair| {
                    let share = 2.0 * PACKET_BITS / (pair[1].at - pair[0].at).as_secs_f64();
                    let rate = pair[1].rate_since(pair[0]).bits_per_second;
                    let bar = Bar::Within(2.0 + share / limit * 100.0);
                    Reading::new("50 ms after a change", rate, limit, "bit/s", bar)
                });
                let bar = Bar::Within(2.0);
                let mean = Reading::new("mean after a change", mean, limit, "bit/s", bar);
                windows.chain([mean]).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Across each change no more passes than the higher of both limits allows.
    fn no_gaps(&self) -> Vec<Reading> {
        let across = self.changes.windows(2).map(|pair| {
            let (old, new) = (&pair[0], &pair[1]);
            let before = self.samples.iter().rev().find(|sample| sample.at <= new.asked);
            let after = self.samples.iter().find(|sample| sample.at >= new.done + GRACE);
            let (before, after) = (before.expect("sampled before"), after.expect("sampled after"));
            let allowed = old.limit.max(new.limit) as f64 * (after.at - before.at).as_secs_f64();
            let passed = (after.bytes - before.bytes) as f64 * 8.0;
            let most = Bar::AtMost(102.0 + 2.0 * PACKET_BITS / allowed * 100.0);
            Reading::new("bits across a change", passed, allowed, "bit", most)
        });
        across.collect()
    }
}
