//! Counters of limits, read beside the datapath and many at once.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use throttle_common::abi::{Direction, LimitUse, limit_use_index};

use super::{bpf, state::Tally};
use crate::error::{Kind, Result, ResultExt};

/// What one limit let pass and what it found too much, up and down.
pub(super) type Uses = [(Tally, Tally); 2];

/// Values that are read in one call: a megabyte and a half.
const VALUES_PER_CALL: usize = 1 << 15;

/// Indices so far apart are still read in one call: what lies between is cheaper than another one.
const GAP: u32 = 8;

/// Map `LIMIT_USE`, for reading.
pub(super) struct LimitUseReader {
    map: OwnedFd,
    /// Possible processors: each has a value.
    cpus: usize,
}

impl LimitUseReader {
    /// Reads from the map behind a descriptor of its own.
    pub(super) fn new(map: OwnedFd, cpus: usize) -> Self {
        Self { map, cpus: cpus.max(1) }
    }

    /// The counters of the limits of these indices, in their order.
    pub(super) fn read(&self, indices: &[u32]) -> Result<Vec<Uses>> {
        let mut order: Vec<_> = (0..indices.len()).collect();
        order.sort_unstable_by_key(|&place| indices[place]);
        let mut uses = vec![Uses::default(); indices.len()];
        let most = (VALUES_PER_CALL / self.cpus / Direction::ALL.len()).max(1) as u32;
        let mut rest = order.as_slice();
        while let Some(&place) = rest.first() {
            let first = indices[place];
            let (run, behind) = rest.split_at(run_length(rest, indices, most));
            let last = run.last().map_or(first, |&place| indices[place]);
            let values = self.values(first, last)?;
            for &place in run {
                let at = (indices[place] - first) as usize * Direction::ALL.len() * self.cpus;
                let of = |direction: usize| sum(&values[at + direction * self.cpus..][..self.cpus]);
                uses[place] = [of(Direction::Up as usize), of(Direction::Down as usize)];
            }
            rest = behind;
        }
        Ok(uses)
    }

    /// The values of all limits from the first to the last, of both directions and all processors.
    fn values(&self, first: u32, last: u32) -> Result<Vec<LimitUse>> {
        let begin = limit_use_index(first, Direction::Up);
        let count = limit_use_index(last, Direction::Down) - begin + 1;
        let mut values = vec![LimitUse::default(); count as usize * self.cpus];
        let map = self.map.as_fd();
        // SAFETY: the map's values are `LimitUse`s, made of integers, and there is room for all.
        let read = unsafe { bpf::read_batch(map, begin, count, &mut values) };
        let read = match read {
            Err(error) if is_unknown(&error) => {
                values.chunks_exact_mut(self.cpus).zip(begin..).try_for_each(|(values, index)| {
                    // SAFETY: as above, for one of them.
                    unsafe { bpf::read_element(map, index, values) }
                })
            }
            read => read,
        };
        read.doing(Kind::Failed, || "reading map LIMIT_USE")?;
        Ok(values)
    }
}

/// How many of `places`, sorted by index, are near enough to each other to be read in one call.
fn run_length(places: &[usize], indices: &[u32], most: u32) -> usize {
    let first = places.first().map_or(0, |&place| indices[place]);
    let fits = |pair: &[usize]| {
        let (index, next) = (indices[pair[0]], indices[pair[1]]);
        next - index <= GAP && next - first < most
    };
    places.windows(2).take_while(|pair| fits(pair)).count() + 1
}

fn sum(values: &[LimitUse]) -> (Tally, Tally) {
    values.iter().fold(Default::default(), |(passed, excess): (Tally, Tally), cpu| {
        (passed.plus(&cpu.passed), excess.plus(&cpu.excess))
    })
}

/// Whether the kernel does not know how to read many values of such a map: Linux below 5.13 answers
/// ENOTSUPP, which has no name here.
fn is_unknown(error: &io::Error) -> bool {
    const ENOTSUPP: i32 = 524;
    [libc::EINVAL, libc::EOPNOTSUPP, ENOTSUPP].map(Some).contains(&error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_gaps_and_where_a_call_is_full() {
        let runs = |indices: &[u32], most| {
            let places: Vec<_> = (0..indices.len()).collect();
            let (mut rest, mut runs) = (places.as_slice(), Vec::new());
            while !rest.is_empty() {
                let length = run_length(rest, indices, most);
                runs.push(length);
                rest = &rest[length..];
            }
            runs
        };
        assert_eq!(runs(&[1, 2, 3, 11, 20], 100), [4, 1]);
        assert_eq!(runs(&[1, 2, 3, 4, 5], 2), [2, 2, 1]);
        assert_eq!(runs(&[7, 7], 1), [2], "the same twice");
        assert_eq!(runs(&[], 9), [0_usize; 0]);
    }
}
