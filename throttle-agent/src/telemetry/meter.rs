//! Rates from counters that are read now and then.

use std::{collections::HashMap, hash::Hash, time::Instant};

/// Up and down.
pub(super) type Pair = [u64; 2];

/// Turns byte counters into bits per second between the last two readings.
#[derive(Debug)]
pub(super) struct Meter<K> {
    read_at: Option<Instant>,
    /// Number of the last reading.
    reading: u64,
    entries: HashMap<K, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    bytes: Pair,
    bits_per_second: Pair,
    /// Number of the last reading that had it.
    reading: u64,
}

impl<K> Default for Meter<K> {
    fn default() -> Self {
        Self { read_at: None, reading: 0, entries: HashMap::new() }
    }
}

impl<K: Eq + Hash> Meter<K> {
    /// Takes a reading of all counters, up and down; what is missing from it is forgotten.
    pub(super) fn update(&mut self, now: Instant, readings: impl Iterator<Item = (K, Pair)>) {
        let elapsed_ns = self.read_at.replace(now).map(|before| (now - before).as_nanos() as u64);
        self.reading += 1;
        for (key, bytes) in readings {
            let entry = self.entries.entry(key).or_default();
            let rate = |direction: usize| {
                let grown = grown(entry.bytes[direction], bytes[direction]);
                elapsed_ns.map_or(0, |elapsed_ns| bits_per_second(grown, elapsed_ns))
            };
            let bits_per_second = [rate(0), rate(1)];
            *entry = Entry { bits_per_second, bytes, reading: self.reading };
        }
        self.entries.retain(|_, entry| entry.reading == self.reading);
    }

    /// The rates up and down between the last two readings; 0 for what was not in the last one.
    pub(super) fn bits_per_second(&self, key: &K) -> Pair {
        self.entries.get(key).map_or([0; 2], |entry| entry.bits_per_second)
    }
}

/// Growth of a counter, which starts from 0 again when its owner was forgotten and came back.
#[must_use]
pub fn grown(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// The rate of what was counted in some time; 0 in no time.
pub(super) fn bits_per_second(bytes: u64, elapsed_ns: u64) -> u64 {
    const BITS_TIMES_NS: u64 = 8 * 1_000_000_000;
    if elapsed_ns == 0 {
        return 0;
    }
    // A division of 64 bits is several times faster, and some two gigabytes fit into it.
    bytes.checked_mul(BITS_TIMES_NS).map_or_else(
        || {
            let bits = u128::from(bytes) * u128::from(BITS_TIMES_NS);
            u64::try_from(bits / u128::from(elapsed_ns)).unwrap_or(u64::MAX)
        },
        |bits| bits / elapsed_ns,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(meter: &mut Meter<&'static str>, at: Instant, readings: &[(&'static str, Pair)]) {
        meter.update(at, readings.iter().copied());
    }

    #[test]
    fn rates_are_over_the_time_that_really_passed() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        read(&mut meter, start, &[("a", [5000, 5000])]);
        assert_eq!(meter.bits_per_second(&"a"), [0, 0]);
        read(&mut meter, start + Duration::from_millis(500), &[("a", [5500, 6000])]);
        assert_eq!(meter.bits_per_second(&"a"), [8000, 16000]);
    }

    #[test]
    fn what_appeared_since_counts_from_zero() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        read(&mut meter, start, &[]);
        read(&mut meter, start + Duration::from_secs(1), &[("new", [1000, 0])]);
        assert_eq!(meter.bits_per_second(&"new"), [8000, 0]);
    }

    #[test]
    fn what_vanished_is_forgotten_and_a_reset_is_no_jump() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        read(&mut meter, start, &[("a", [1_000_000, 0]), ("b", [1, 1])]);
        read(&mut meter, start + Duration::from_secs(1), &[("a", [100, 0])]);
        assert_eq!(meter.bits_per_second(&"a"), [800, 0]);
        assert_eq!(meter.bits_per_second(&"b"), [0, 0]);
    }

    #[test]
    fn no_rate_is_too_large_to_be_worked_out() {
        assert_eq!(bits_per_second(50_000_000_000, 1_000_000_000), 400_000_000_000);
        assert_eq!(bits_per_second(u64::MAX, 8_000_000_000), u64::MAX);
        assert_eq!(bits_per_second(u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn two_readings_at_one_time_do_not_divide_by_zero() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        read(&mut meter, start, &[("a", [0, 0])]);
        read(&mut meter, start, &[("a", [1, 1])]);
        assert_eq!(meter.bits_per_second(&"a"), [0, 0]);
    }
}
