//! Numbers that rest before they are used again.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

/// How long a number rests: far longer than a packet stays in the program.
pub(super) const REST: Duration = Duration::from_secs(1);

/// Free slots or indices, with the time from which each may be used, earliest first.
pub(super) struct Pool {
    free: VecDeque<(u32, Instant)>,
}

impl Pool {
    /// A pool of numbers that may be used after `rest`.
    pub(super) fn new(free: impl Iterator<Item = u32>, rest: Duration) -> Self {
        let usable = Instant::now() + rest;
        Self { free: free.map(|number| (number, usable)).collect() }
    }

    /// The number that has rested longest, once it has rested enough; `None` when none is free.
    pub(super) fn take(&mut self) -> Option<u32> {
        let (number, usable) = self.free.pop_front()?;
        thread::sleep(usable.saturating_duration_since(Instant::now()));
        Some(number)
    }

    /// Gives a number back that packets may still be using.
    pub(super) fn release(&mut self, number: u32) {
        self.free.push_back((number, Instant::now() + REST));
    }

    /// Gives numbers back that no packet has seen.
    pub(super) fn restore(&mut self, numbers: impl IntoIterator<Item = u32>) {
        let now = Instant::now();
        for number in numbers {
            self.free.push_front((number, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_number_comes_back_last_and_rested() {
        let mut pool = Pool::new(0..2, Duration::ZERO);
        let first = pool.take().unwrap();
        pool.release(first);
        assert_eq!(pool.take(), Some(1));
        let released = Instant::now();
        assert_eq!(pool.take(), Some(first));
        assert!(released.elapsed() >= REST - Duration::from_millis(100));
        assert_eq!(pool.take(), None);
    }

    #[test]
    fn a_restored_number_comes_back_at_once() {
        let mut pool = Pool::new(0..3, Duration::ZERO);
        let taken = [pool.take().unwrap(), pool.take().unwrap()];
        pool.restore(taken);
        let begun = Instant::now();
        let again: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(again.len(), 3);
        assert!(begun.elapsed() < REST);
    }
}
