//! Numbers that look random and come again with the same seed (SplitMix64, Steele et al., OOPSLA 2014).

use std::time::Duration;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[(self.number() % some.len() as u64) as usize]
    }

    /// A time shorter than this one.
    pub fn below(&mut self, time: Duration) -> Duration {
        Duration::from_nanos(self.number() % time.as_nanos() as u64)
    }
}
