use std::time::Duration;

use super::*;
use crate::datapath::Tally;

/// A table whose ways hold tags and bytes sent and received.
#[derive(Default)]
struct Table(Vec<(u64, Pair)>);

impl HostSource for Table {
    fn ways(&self) -> u32 {
        self.0.len() as u32
    }

    fn read(&self, ways: Range<u32>, each: &mut dyn FnMut(&HostReading)) {
        for way in ways {
            let (tag, bytes) = self.0[way as usize];
            if tag != 0 {
                let passed = bytes.map(|bytes| Tally { packets: 1, bytes });
                let place = HostPlace { way, tag };
                each(&HostReading { place, passed, excess: [Tally::default(); 2] });
            }
        }
    }
}

/// Reads tables one second after the other and returns the rates after the last, by way.
fn rates(tables: &[&[(u64, Pair)]]) -> Vec<Pair> {
    let (mut chunk, start) = (Chunk::default(), Instant::now());
    for (second, table) in tables.iter().enumerate() {
        let now = start + Duration::from_secs(1) * second as u32;
        read(&mut chunk, now, table);
    }
    let last = tables[tables.len() - 1].iter().enumerate();
    last.map(|(way, (tag, _))| chunk.rates(way, *tag)).collect()
}

fn read(chunk: &mut Chunk, now: Instant, table: &[(u64, Pair)]) {
    let source = Table(table.to_vec());
    let ranking = &mut Ranking::new(&HostSort::ALL, 10);
    chunk.update(now, &source, 0..source.ways(), ranking);
}

#[test]
fn what_was_counted_before_the_first_reading_is_no_rate() {
    assert_eq!(rates(&[&[(7, [5000, 6000])]]), [[0, 0]]);
    assert_eq!(rates(&[&[(7, [5000, 6000])], &[(7, [5001, 6002])]]), [[8, 16]]);
}

#[test]
fn a_host_that_appeared_since_counts_from_zero() {
    assert_eq!(rates(&[&[(0, [0, 0])], &[(7, [100, 0])]]), [[800, 0]]);
}

#[test]
fn the_next_host_of_a_way_inherits_nothing() {
    assert_eq!(rates(&[&[(7, [5000, 5000])], &[(8, [6000, 100])]]), [[48_000, 800]]);
}

#[test]
fn a_host_that_vanished_and_came_back_counts_from_zero() {
    let tables: [&[_]; 3] = [&[(7, [1000, 0])], &[(0, [0, 0])], &[(7, [2000, 0])]];
    assert_eq!(rates(&tables), [[16_000, 0]]);
    assert_eq!(rates(&[&[(7, [1000, 0])], &[(7, [10, 0])]]), [[80, 0]], "between two readings");
}

#[test]
fn hosts_beside_ways_without_one_keep_theirs() {
    let before = [(0, [0; 2]), (2, [8, 8]), (0, [0; 2]), (4, [8, 8]), (5, [0; 2])];
    let after = [(1, [1, 0]), (0, [0; 2]), (3, [3, 0]), (4, [8, 12]), (0, [0; 2])];
    assert_eq!(rates(&[&before, &after]), [[8, 0], [0, 0], [24, 0], [0, 32], [0, 0]]);
}

#[test]
fn rates_are_over_the_time_that_really_passed() {
    let (mut chunk, start) = (Chunk::default(), Instant::now());
    read(&mut chunk, start, &[(7, [0, 0])]);
    read(&mut chunk, start + Duration::from_millis(500), &[(7, [500, 0])]);
    assert_eq!(chunk.rates(0, 7), [8000, 0]);
    assert_eq!(chunk.rates(0, 8), [0, 0], "of another host in its way");
    read(&mut chunk, start + Duration::from_millis(500), &[(7, [900, 0])]);
    assert_eq!(chunk.rates(0, 7), [0, 0], "two readings at one time");
}

#[test]
fn a_table_of_several_parts_is_read_as_one() {
    let ways = CHUNK_WAYS as usize * 2 + 3;
    let table = Table((1..=ways as u64).map(|tag| (tag, [0, tag])).collect());
    let last = HostPlace { way: ways as u32 - 1, tag: ways as u64 };
    let rates = HostRates::new(Arc::new(table));
    assert_eq!(rates.sample().len(), 2 * TOP, "of equals the first, and the heaviest");
    assert_eq!(rates.sorted(HostSort::Down, 2), [last.way, last.way - 1]);
    assert_eq!(rates.sorted(HostSort::Down, usize::MAX).len(), ways);
    assert_eq!(rates.of(last), [0, 0]);
    assert_eq!(rates.of(HostPlace { way: u32::MAX, tag: 1 }), [0, 0]);
}
