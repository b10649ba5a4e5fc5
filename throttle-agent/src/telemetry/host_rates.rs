//! Rates of every host, kept by the way it has in the host table, so that a reading goes through memory
//! in order.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    HostExplained, HostSort, HostView, TOP,
    meter::{Pair, bits_per_second, grown},
    ranking::Ranking,
};
use crate::datapath::{Explanation, HostPlace, HostReading, HostSource, HostState};

/// Ways that are read under one lock, which takes some hundred microseconds.
const CHUNK_WAYS: u32 = 4096;

/// Byte counters of all hosts at the last reading, and the rates between the last two.
///
/// It has locks of its own, each held for a part of the table: whoever asks for one host does not wait
/// until all are read.
pub struct HostRates {
    source: Arc<dyn HostSource>,
    chunks: Vec<Mutex<Chunk>>,
}

/// The ways of one part of the table.
#[derive(Debug, Default)]
struct Chunk {
    read_at: Option<Instant>,
    /// Per way; none before the first host.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// Of the host that had the way at the last reading; 0 for none.
    tag: u64,
    bytes: Pair,
    bits_per_second: Pair,
}

impl HostRates {
    /// Rates of the hosts of a table, which nobody has read yet.
    #[must_use]
    pub fn new(source: Arc<dyn HostSource>) -> Self {
        let chunks = (0..source.ways().div_ceil(CHUNK_WAYS)).map(|_| Mutex::default()).collect();
        Self { source, chunks }
    }

    /// One host with its rates.
    #[must_use]
    pub fn view(&self, host: &HostState, ipv6_host_prefix: u8) -> HostView {
        HostView::new(host, ipv6_host_prefix, self.of(host.place))
    }

    /// What decides about one host, with its rates.
    #[must_use]
    pub fn explain(&self, explained: &Explanation, ipv6_host_prefix: u8) -> HostExplained {
        let place = explained.state.as_ref().map(|state| state.place);
        let rates = place.map_or([0; 2], |place| self.of(place));
        HostExplained::new(explained, ipv6_host_prefix, rates)
    }

    /// Reads every host, and works out its rates since the reading before. Returns the ways of those that
    /// come first in any order, at most [`TOP`] of each.
    #[must_use]
    pub fn sample(&self) -> Vec<u32> {
        let mut ranking = Ranking::new(&HostSort::ALL, TOP);
        self.update(&mut ranking);
        ranking.ways()
    }

    /// The ways of the first hosts of an order, by their counters now and the rates of the last sample.
    #[must_use]
    pub fn sorted(&self, sort: HostSort, most: usize) -> Vec<u32> {
        let mut ranking = Ranking::new(&[sort], most);
        self.rank(&mut ranking);
        ranking.sorted()
    }

    fn update(&self, ranking: &mut Ranking) {
        for (chunk, ways) in self.parts() {
            lock(chunk).update(Instant::now(), &*self.source, ways, ranking);
        }
    }

    fn rank(&self, ranking: &mut Ranking) {
        for (chunk, ways) in self.parts() {
            let chunk = lock(chunk);
            self.source.read(ways.clone(), &mut |host| {
                ranking
                    .add(host, chunk.rates((host.place.way - ways.start) as usize, host.place.tag));
            });
        }
    }

    /// The rates up and down of the host at a place; 0 for one that was not there at the last reading.
    fn of(&self, place: HostPlace) -> Pair {
        let chunk = self.chunks.get((place.way / CHUNK_WAYS) as usize).map(lock);
        chunk.map_or([0; 2], |chunk| chunk.rates((place.way % CHUNK_WAYS) as usize, place.tag))
    }

    fn parts(&self) -> impl Iterator<Item = (&Mutex<Chunk>, Range<u32>)> {
        let ways = self.source.ways();
        self.chunks.iter().enumerate().map(move |(number, chunk)| {
            let first = number as u32 * CHUNK_WAYS;
            (chunk, first..ways.min(first + CHUNK_WAYS))
        })
    }
}

fn lock(chunk: &Mutex<Chunk>) -> MutexGuard<'_, Chunk> {
    chunk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chunk {
    fn update(
        &mut self,
        now: Instant,
        source: &dyn HostSource,
        ways: Range<u32>,
        ranking: &mut Ranking,
    ) {
        let elapsed_ns = self.read_at.replace(now).map(|before| (now - before).as_nanos() as u64);
        let (entries, mut next) = (&mut self.entries, 0);
        source.read(ways.clone(), &mut |host| {
            entries.resize(ways.len(), Entry::default());
            let place = (host.place.way - ways.start) as usize;
            forget(&mut entries[next..place]);
            next = place + 1;
            let rates = entries[place].update(host, elapsed_ns);
            ranking.add(host, rates);
        });
        if let Some(rest) = entries.get_mut(next..) {
            forget(rest);
        }
    }

    fn rates(&self, place: usize, tag: u64) -> Pair {
        let entry = self.entries.get(place).filter(|entry| entry.tag == tag);
        entry.map_or([0; 2], |entry| entry.bits_per_second)
    }
}

/// Forgets what was in ways that are without a host now.
fn forget(entries: &mut [Entry]) {
    for entry in entries.iter_mut().filter(|entry| entry.tag != 0) {
        entry.tag = 0;
    }
}

impl Entry {
    /// Takes a reading; `elapsed_ns` is the time since the one before, if there was one.
    fn update(&mut self, host: &HostReading, elapsed_ns: Option<u64>) -> Pair {
        let bytes = host.passed.map(|passed| passed.bytes);
        // What appeared since counts from zero.
        let before = if self.tag == host.place.tag { self.bytes } else { [0; 2] };
        let rate = |direction: usize| {
            let grown = grown(before[direction], bytes[direction]);
            elapsed_ns.map_or(0, |elapsed_ns| bits_per_second(grown, elapsed_ns))
        };
        *self = Self { tag: host.place.tag, bytes, bits_per_second: [rate(0), rate(1)] };
        self.bits_per_second
    }
}

#[cfg(test)]
mod tests;
