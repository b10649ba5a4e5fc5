//! Several levels: all or nothing, and what excess that passes is charged to.

use std::vec::Vec;

use super::*;

/// Three levels at 8 Mbit/s: packets of 1000 bytes, with room for as many as told at once.
struct Tree {
    tats: [Cell; 3],
    packet_tats: [Cell; 3],
    limits: [Limit; 3],
    clock: FakeClock,
}

impl Tree {
    fn new(room: [u64; 3]) -> Self {
        let clock = FakeClock::default();
        clock.set(START);
        let limits = room.map(|packets| {
            let bytes = Rate::bytes(8_000_000, packets * 1000 - 1).unwrap();
            limit_to(bytes, Rate::UNLIMITED)
        });
        Self { tats: Default::default(), packet_tats: Default::default(), limits, clock }
    }

    /// Lets the levels told pass their excess.
    fn letting_pass(mut self, levels: &[usize]) -> Self {
        for level in levels {
            self.limits[*level].flags = Limit::OBSERVE;
        }
        self
    }

    fn account(&self, level: usize) -> Account<'_, Cell> {
        let (limit, bytes_tat) = (&self.limits[level], &self.tats[level]);
        Account::new(limit, bytes_tat, &self.packet_tats[level])
    }

    fn send(&self) -> Outcome {
        let [host, group, link] = [0, 1, 2].map(|level| self.account(level));
        admit(&self.clock, &Levels { host, group, link }, packet_of(1000, 0))
    }

    /// The excess of a packet that passes.
    fn excess(&self) -> [bool; 3] {
        let outcome = self.send();
        assert_eq!(outcome.refused, None);
        [Excess::HOST, Excess::GROUP, Excess::LINK].map(|level| outcome.excess.is_of(level))
    }

    /// Packets charged per level.
    fn charged(&self) -> [u64; 3] {
        let cost = self.limits[0].rates[0].bytes.cost(1000, 0);
        self.tats.each_ref().map(|tat| debt(tat.load(), START) / cost)
    }
}

#[test]
fn the_tightest_level_refuses_and_no_level_is_charged() {
    let by = [Refused::HostBytes, Refused::GroupBytes, Refused::LinkBytes];
    for (room, by) in [[2, 5, 9], [9, 2, 5], [5, 9, 2]].into_iter().zip(by) {
        let tree = Tree::new(room);
        assert_eq!([tree.excess(), tree.excess()], [[false; 3]; 2]);
        for _ in 0..5 {
            assert_eq!(tree.send().refused, Some(by));
            assert_eq!(tree.charged(), [2; 3]);
        }
    }
}

#[test]
fn a_level_whose_packet_bucket_is_full_refuses_by_that() {
    let by = [Refused::HostPackets, Refused::GroupPackets, Refused::LinkPackets];
    for (level, by) in by.into_iter().enumerate() {
        let mut tree = Tree::new([9; 3]);
        tree.limits[level].rates[0].packets = Rate::packets(1_000, 1).unwrap();
        assert_eq!([tree.excess(), tree.excess()], [[false; 3]; 2]);
        assert_eq!(tree.send().refused, Some(by));
        assert_eq!(tree.charged(), [2; 3]);
    }
}

#[test]
fn the_rates_of_the_other_direction_play_no_part() {
    let mut tree = Tree::new([1; 3]);
    for limit in &mut tree.limits {
        limit.rates.swap(0, 1);
        limit.rates[0] = ABSENT.rates[0];
    }
    assert_eq!([tree.excess(), tree.excess()], [[false; 3]; 2]);
    assert_eq!(tree.tats.each_ref().map(Cell::load), [0; 3]);
}

#[test]
fn packets_count_as_many_units_as_they_fill() {
    let mut tree = Tree::new([9; 3]);
    let rate = Rate::packets(1_000, 9).unwrap();
    tree.limits[1].rates[0].packets = rate;
    tree.limits[1].packet_unit_bytes = 300;
    tree.excess();
    assert_eq!(tree.packet_tats[1].load(), START + rate.cost(4, 0));
}

#[test]
fn excess_that_passes_is_charged_to_the_parents_alone() {
    let tree = Tree::new([1, 3, 9]).letting_pass(&[0]);
    assert_eq!(tree.excess(), [false; 3]);
    for _ in 0..2 {
        assert_eq!(tree.excess(), [true, false, false]);
    }
    assert_eq!(tree.charged(), [1, 3, 3]);
    assert_eq!(tree.send().refused, Some(Refused::GroupBytes));
    assert_eq!(tree.charged(), [1, 3, 3]);
}

#[test]
fn excess_of_a_host_alone_passes_uncharged() {
    let tree = Tree::new([1, 9, 9]).letting_pass(&[0]);
    let excess = [(); 3].map(|()| {
        let outcome = admit_alone(&tree.clock, &tree.account(0), packet_of(1000, 0));
        assert_eq!(outcome.refused, None);
        outcome.excess
    });
    assert_eq!(excess, [Excess::default(), Excess::HOST, Excess::HOST]);
    assert_eq!(tree.charged(), [1, 0, 0]);
}

#[test]
fn a_parent_that_only_observes_refuses_nothing() {
    let tree = Tree::new([9, 1, 1]).letting_pass(&[1, 2]);
    assert_eq!(tree.excess(), [false; 3]);
    for _ in 0..3 {
        assert_eq!(tree.excess(), [false, true, true]);
    }
    assert_eq!(tree.charged(), [4, 1, 1]);
}

#[test]
fn a_packet_reports_the_debt_it_found_and_whether_that_was_beyond_the_mark() {
    let mut tree = Tree::new([4, 9, 9]);
    let rate = tree.limits[0].rates[0].bytes.marking_from_half();
    tree.limits[0].rates[0].bytes = rate;
    let cost = rate.cost(1000, 0);
    let found: Vec<_> = (0..4).map(|_| tree.send()).collect();
    let debts: Vec<_> = found.iter().map(|outcome| outcome.debts.longer() / cost).collect();
    assert_eq!(debts, [0, 1, 2, 3], "each packet has a slot of its own");
    assert!(found.iter().all(|outcome| outcome.now == START));
    let is_beyond = |outcome: &Outcome| outcome.debts.are_beyond_mark(&rate, &Rate::UNLIMITED);
    let marked: Vec<_> = found.iter().map(is_beyond).collect();
    assert_eq!(marked, [false, false, true, true]);
}

#[test]
fn room_that_the_coarse_clock_does_not_see_is_found_by_the_precise_one() {
    let tree = Tree::new([1; 3]);
    assert_eq!(tree.excess(), [false; 3]);
    let cost = tree.limits[0].rates[0].bytes.cost(1000, 0);
    let room = cost - tree.limits[0].rates[0].bytes.burst_ticks;
    assert!(room < PERIOD);
    tree.clock.set(START + room - 1);
    assert!(tree.send().refused.is_some());
    tree.clock.set(START + room);
    let outcome = tree.send();
    assert_eq!((outcome.refused, outcome.now), (None, START + room));
}
