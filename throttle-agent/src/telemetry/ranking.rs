//! Finds the first hosts of every order in one pass over all of them.

use std::cmp::Reverse;

use super::{HostSort, meter::Pair};
use crate::datapath::HostReading;

/// What hosts are sorted by: larger comes first.
pub(super) type Weight = (u64, u64);

/// The heaviest hosts so far, of some orders.
#[derive(Debug)]
pub(super) struct Ranking {
    orders: Vec<(HostSort, Heaviest)>,
}

impl Ranking {
    /// Keeps so many hosts of each order.
    pub(super) fn new(sorts: &[HostSort], most: usize) -> Self {
        let orders = sorts.iter().map(|&sort| (sort, Heaviest::new(most)));
        Self { orders: orders.collect() }
    }

    /// Takes a host with its rates into account.
    pub(super) fn add(&mut self, host: &HostReading, rates: Pair) {
        for (sort, heaviest) in &mut self.orders {
            heaviest.add(sort.weight_of(host, rates), host.place.way);
        }
    }

    /// Ways of all hosts that are among the first of any order, each once, in the table's order.
    pub(super) fn ways(self) -> Vec<u32> {
        let found = self.orders.into_iter().flat_map(|(_, heaviest)| heaviest.finish());
        let mut ways: Vec<_> = found.map(|(_, way)| way).collect();
        ways.sort_unstable();
        ways.dedup();
        ways
    }

    /// Ways of the hosts of the first order, heaviest first.
    pub(super) fn sorted(self) -> Vec<u32> {
        let heaviest = self.orders.into_iter().next().map(|(_, heaviest)| heaviest.finish());
        heaviest.unwrap_or_default().into_iter().map(|(_, way)| way).collect()
    }
}

/// The heaviest of what it was shown. Of equals at its end, those that came first.
#[derive(Debug)]
struct Heaviest {
    most: usize,
    /// Up to twice as many as are kept, so that the lightest are thrown out only now and then.
    found: Vec<(Weight, u32)>,
    /// What is not heavier is none of them any more.
    floor: Option<Weight>,
}

impl Heaviest {
    fn new(most: usize) -> Self {
        Self { most, found: Vec::new(), floor: None }
    }

    fn add(&mut self, weight: Weight, way: u32) {
        if self.floor.is_some_and(|floor| weight <= floor) {
            return;
        }
        self.found.push((weight, way));
        if self.found.len() >= self.most.saturating_mul(2) {
            self.throw_out();
        }
    }

    fn throw_out(&mut self) {
        if self.found.len() > self.most {
            self.found
                .select_nth_unstable_by_key(self.most, |&(weight, way)| (Reverse(weight), way));
            self.found.truncate(self.most);
        }
        if self.found.len() == self.most {
            let lightest = self.found.iter().map(|(weight, _)| *weight).min();
            self.floor = Some(lightest.unwrap_or((u64::MAX, u64::MAX)));
        }
    }

    /// What is left, heaviest first.
    fn finish(mut self) -> Vec<(Weight, u32)> {
        self.throw_out();
        self.found.sort_unstable_by_key(|&(weight, way)| (Reverse(weight), way));
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::{HostPlace, Tally};

    /// Numbers that look random, the same in every run (xorshift).
    fn numbers() -> impl FnMut(u64) -> u64 {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        }
    }

    fn hosts(count: u32, kinds: u64) -> Vec<(HostReading, Pair)> {
        let mut number = numbers();
        let mut tally = || Tally { packets: number(kinds), bytes: number(kinds) };
        let mut host = |way| HostReading {
            place: HostPlace { way, tag: 1 },
            passed: [tally(), tally()],
            excess: [tally(), tally()],
        };
        let hosts: Vec<_> = (0..count).map(&mut host).collect();
        let mut number = numbers();
        hosts.into_iter().map(|host| (host, [number(kinds), number(kinds)])).collect()
    }

    #[test]
    fn the_first_of_every_order_are_those_that_a_sort_puts_first() {
        for (count, most, kinds) in
            [(0, 5, 9), (4, 5, 9), (1000, 10, 3), (1000, 10, 1 << 40), (3000, 1000, 50), (9, 0, 9)]
        {
            let hosts = hosts(count, kinds);
            for sort in HostSort::ALL {
                let mut expected: Vec<_> = hosts
                    .iter()
                    .map(|(host, rates)| (Reverse(sort.weight_of(host, *rates)), host.place.way))
                    .collect();
                expected.sort_unstable();
                expected.truncate(most);
                let expected: Vec<_> = expected.into_iter().map(|(_, way)| way).collect();
                let mut ranking = Ranking::new(&[sort], most);
                hosts.iter().for_each(|(host, rates)| ranking.add(host, *rates));
                assert_eq!(ranking.sorted(), expected, "{most} of {count} by {sort}");
            }
        }
    }

    #[test]
    fn each_host_is_named_once_however_many_orders_it_leads() {
        let hosts = hosts(100, 1 << 20);
        let mut ranking = Ranking::new(&HostSort::ALL, 60);
        hosts.iter().for_each(|(host, rates)| ranking.add(host, *rates));
        let ways = ranking.ways();
        assert!(ways.len() >= 60 && ways.is_sorted_by(|one, other| one < other), "{ways:?}");
    }

    #[test]
    fn without_a_bound_all_are_sorted() {
        let hosts = hosts(500, 1 << 20);
        let mut ranking = Ranking::new(&[HostSort::Up], usize::MAX);
        hosts.iter().for_each(|(host, rates)| ranking.add(host, *rates));
        assert_eq!(ranking.sorted().len(), 500);
    }
}
