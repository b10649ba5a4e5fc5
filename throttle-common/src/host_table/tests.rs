use std::{collections::HashSet, net::Ipv4Addr, thread, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{address::Mask, cell::Cell};

struct Table(Vec<HostSet>);

impl Table {
    fn new(sets: u32) -> Self {
        let set = || HostSet { tags: [const { Cell::new(FREE) }; WAYS as usize] };
        Self((0..sets).map(|_| set()).collect())
    }

    fn choices(&self, tag: u64) -> Choices {
        Choices::new(tag, 0x1234_5678_9abc_def0, self.0.len() as u32 - 1)
    }

    fn make(&self, tag: u64) -> Option<u32> {
        make(self, self.choices(tag), tag)
    }

    fn find(&self, tag: u64) -> Option<u32> {
        find(self, self.choices(tag), tag)
    }
}

impl Sets for Table {
    fn set(&self, number: u32) -> Option<&HostSet> {
        self.0.get(number as usize)
    }
}

fn v4(number: u32) -> u64 {
    tag(Address::from_ipv4(Ipv4Addr::from(0x0a00_0000 + number).octets()), 1)
}

#[test]
fn a_host_is_found_where_it_was_made_and_made_once() {
    let table = Table::new(16);
    assert_eq!(table.find(v4(1)), None);
    let way = table.make(v4(1)).unwrap();
    assert_eq!(table.make(v4(1)), Some(way));
    assert_eq!(table.find(v4(1)), Some(way));
    assert_eq!(table.find(v4(2)), None);
}

#[test]
fn a_table_has_room_for_the_hosts_it_was_made_for() {
    for hosts in [1, 100, 1_024, 65_536, 262_144] {
        let table = Table::new(sets_for(hosts));
        let ways: HashSet<_> = (0..hosts).filter_map(|number| table.make(v4(number))).collect();
        assert_eq!(ways.len() as u32, hosts, "each of {hosts} hosts has a way of its own");
        assert!((0..hosts).all(|number| table.find(v4(number)).is_some()));
    }
}

#[test]
fn a_full_table_makes_no_more_hosts_and_keeps_those_it_has() {
    let table = Table::new(1);
    let made: Vec<_> = (0..8).map(|number| table.make(v4(number)).unwrap()).collect();
    assert_eq!(table.make(v4(8)), None);
    assert_eq!(table.find(v4(8)), None);
    assert!((0..8).all(|number| table.find(v4(number)) == Some(made[number as usize])));
}

#[test]
fn a_resting_way_is_neither_found_nor_given_away() {
    let table = Table::new(1);
    (0..8).for_each(|number| assert!(table.make(v4(number)).is_some()));
    let way = table.find(v4(3)).unwrap();
    table.0[0].tags[way as usize].store(RESTING);
    assert_eq!((table.find(v4(3)), table.make(v4(9))), (None, None));
    table.0[0].tags[way as usize].store(FREE);
    assert_eq!(table.make(v4(9)), Some(way));
}

#[test]
fn no_host_has_the_tag_of_a_free_or_resting_way() {
    let table = Table::new(1);
    for octets in [[0; 16], [0xff; 16]] {
        let tag = tag(Address::from_octets(octets).host(&Mask::from_prefix_len(64)), 1);
        assert_eq!(table.find(tag), None);
        assert!(tag != FREE && tag != RESTING && table.make(tag).is_some());
    }
}

#[test]
fn processors_that_make_the_same_hosts_at_once_find_the_same_ways() {
    for round in 0..50 {
        let table = Table::new(128);
        let hosts = |salt: u32| (0..256).map(move |number| v4(number * 7 % 256 + (salt << 9)));
        let make = || -> Vec<_> { hosts(round).map(|tag| table.make(tag)).collect() };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
        });
        let ways: HashSet<_> = hosts(round).map(|tag| table.find(tag).unwrap()).collect();
        assert_eq!(ways.len(), 256);
    }
}

#[test]
fn sets_are_a_power_of_two_with_half_to_spare() {
    for hosts in [0, 1, 6, 7, 1_000, 65_536, 1_000_000] {
        let sets = sets_for(hosts);
        assert!(sets.is_power_of_two());
        assert!(u64::from(sets) * u64::from(WAYS) >= u64::from(hosts) * 2);
    }
    assert_eq!(sets_for(u32::MAX), MAX_SETS);
}

#[test]
fn a_table_is_made_for_the_most_hosts_that_need_no_larger_one() {
    for sets in (0..24).map(|bits| 1 << bits) {
        let hosts = hosts_for(sets);
        assert_eq!((sets_for(hosts), sets_for(hosts + 1)), (sets, sets * 2));
    }
    assert_eq!(sets_for(hosts_for(MAX_SETS)), MAX_SETS);
}

proptest! {
    #[test]
    fn a_tag_is_read_back_as_its_host(octets: [u8; 16], v4: [u8; 4], seed: u64) {
        let mask = Mask::from_prefix_len(64);
        let ipv6 = Address::from_octets(octets).host(&mask);
        prop_assume!(octets[..4] != [0, 0, 0xff, 0xff] && octets[..8] != [0; 8] && octets[..8] != [0xff; 8]);
        prop_assert_eq!(address(tag(ipv6, seed)), ipv6);
        let ipv4 = Address::from_ipv4(v4);
        prop_assert_eq!(address(tag(ipv4, seed)), ipv4);
    }

    /// Addresses of one /64, and the same one of many /64s: the shapes that an attacker would try.
    #[test]
    fn long_hosts_are_told_apart_and_are_never_taken_for_ipv4(seed: u64, high: u64, low in 1_u64..) {
        let mut seen = HashSet::new();
        for number in 0..256_u64 {
            for (high, low) in [(high, low.wrapping_add(number << 48).max(1)), (high ^ (number << 16), low)] {
                let host = Address::from_words(high, low);
                prop_assume!(!host.is_ipv4());
                let tag = tag(host, seed);
                prop_assert!(!Address::from_words(0, tag).is_ipv4() && tag != FREE && tag != RESTING);
                seen.insert((tag, high, low));
            }
        }
        let tags: HashSet<_> = seen.iter().map(|(tag, ..)| tag).collect();
        prop_assert_eq!(tags.len(), seen.len());
    }

    #[test]
    fn choices_lie_within_the_table(tag: u64, seed: u64, bits in 0_u32..24) {
        let mask = (1 << bits) - 1;
        for ways in Choices::new(tag, seed, mask).ways() {
            prop_assert!(ways.end <= (mask + 1) * WAYS);
        }
    }
}
