//! Growth of counters from one second to the next, and what was before.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use crate::telemetry::grown;

/// Seconds that are remembered.
pub(super) const REMEMBERED: usize = 30;

/// Samples after which whoever is not in them any more is forgotten.
const FORGOTTEN_AFTER: u64 = 60;

/// Counters of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tallies {
    /// Packets that found no room.
    pub(super) excess: u64,
    /// Packets that passed, up and down.
    pub(super) passed: [u64; 2],
}

/// What one name does.
#[derive(Debug, Clone, Default)]
pub(super) struct Metered {
    /// Per second; `None` until there have been two samples.
    pub(super) per_second: Option<Tallies>,
    /// Rates in bits per second, oldest first.
    pub(super) history: VecDeque<u64>,
    tallies: Tallies,
    sample: u64,
    at: Option<Instant>,
}

/// What every name does.
#[derive(Debug, Default)]
pub(super) struct Meter(HashMap<String, Metered>);

impl Meter {
    /// Takes the counters of one name; a sample that it had already changes nothing.
    pub(super) fn take(
        &mut self,
        name: String,
        sample: (u64, Instant),
        tallies: Tallies,
        rate: u64,
    ) {
        let (number, at) = sample;
        let metered = self.0.entry(name).or_default();
        if metered.sample == number && metered.at.is_some() {
            return;
        }
        let elapsed = metered.at.map(|then| at.saturating_duration_since(then).as_secs_f64());
        metered.per_second = elapsed.filter(|elapsed| *elapsed > 0.0).map(|elapsed| {
            let rate = |then: u64, now: u64| {
                // A counter that shrank belongs to a host that was forgotten and came back.
                (grown(then, now) as f64 / elapsed).round() as u64
            };
            let then = metered.tallies;
            Tallies {
                excess: rate(then.excess, tallies.excess),
                passed: [0, 1].map(|way| rate(then.passed[way], tallies.passed[way])),
            }
        });
        if metered.history.len() == REMEMBERED {
            metered.history.pop_front();
        }
        metered.history.push_back(rate);
        (metered.tallies, metered.sample, metered.at) = (tallies, number, Some(at));
    }

    /// What a name does.
    pub(super) fn of(&self, name: &str) -> Option<&Metered> {
        self.0.get(name)
    }

    /// Forgets whoever has not been in a sample for long.
    pub(super) fn forget(&mut self, sample: u64) {
        self.0.retain(|_, metered| metered.sample + FORGOTTEN_AFTER >= sample);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn excess(excess: u64) -> Tallies {
        Tallies { excess, passed: [0, 0] }
    }

    #[test]
    fn growth_is_per_second_and_a_sample_counts_once() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let later = start + Duration::from_secs(2);
        meter.take("a".into(), (1, start), excess(100), 5);
        assert_eq!(meter.of("a").unwrap().per_second, None);
        for _ in 0..2 {
            meter.take("a".into(), (2, later), excess(300), 7);
            let metered = meter.of("a").unwrap();
            assert_eq!(metered.per_second, Some(excess(100)));
            assert_eq!(metered.history, [5, 7]);
        }
    }

    #[test]
    fn only_the_last_seconds_are_remembered_and_the_absent_forgotten() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        for sample in 0..40_u32 {
            let at = start + Duration::from_secs(1) * sample;
            meter.take("a".into(), (sample.into(), at), excess(0), sample.into());
        }
        let history = &meter.of("a").unwrap().history;
        assert_eq!((history.len(), history[0]), (REMEMBERED, 10));
        meter.forget(99);
        assert!(meter.of("a").is_some());
        meter.forget(100);
        assert!(meter.of("a").is_none());
    }
}
