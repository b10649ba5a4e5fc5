//! Numbers that look random and come again with the same seed (SplitMix64, Steele et al., OOPSLA 2014), and what is
//! made of them: frames and policies.

pub mod addresses;
pub mod frames;
pub mod policy;

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::restrict::is_full;

/// Where to begin with what is drawn: printed, and as `THROTTLE_TESTS_SEED` asks for. Else it is the usual seed, and in
/// a full run another one each time, with room for 65,536 after it.
///
/// # Panics
/// The variable has no number.
pub fn seed(usual: u64) -> u64 {
    let time = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = match env::var("THROTTLE_TESTS_SEED") {
        Ok(seed) => seed.parse().expect("THROTTLE_TESTS_SEED: a number below 2^64"),
        Err(_) if is_full() => time() << 16,
        Err(_) => usual,
    };
    println!("seeds from {seed} on");
    seed
}

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// A time shorter than this one.
    pub fn time_below(&mut self, time: Duration) -> Duration {
        Duration::from_nanos(self.below(time.as_nanos() as u64))
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.number() as u8
    }

    /// An index of something that has `len` parts, of which there is one.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether something happens that does once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of some.
    pub fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.index(some.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}
