//! A burst that one processor grants once, while others send.

use super::*;
use crate::{
    bucket::tests::{ABSENT, START, limit_to, packet_of},
    rate::Rate,
};

const LEN: u32 = 1000;

/// The credit, in packets: far more than are under way at once.
const CREDIT: u64 = 16;

/// Where a bucket stands: its debt, or its credit below zero.
fn position(word: u64) -> i128 {
    i128::from(debt(word, START)) - i128::from(credit(word))
}

/// Processors that send more than the credit to a host below a group that refuses some.
///
/// While the clock stands, the bucket stands where the credit and the packets that passed put it,
/// but for what happens where the credit runs out. A packet that was charged before and is refunded
/// afterwards takes its part of the credit along: one of each processor at most. Packets that lose
/// the exchange are added to a word that is no time yet, until one wins it: that is a packet of
/// each processor at first, and seldom more.
fn run() {
    let mut random = thread_rng();
    let rate = Rate::bytes(8_000_000, 2 * u64::from(LEN)).unwrap();
    let cost = rate.cost(LEN, 0);
    let limit = limit_to(rate, Rate::UNLIMITED);
    let host = Node::new(limit, [if random.gen_ratio(1, 2) { 7 } else { START + cost }; 2]);
    let room = u64::from(LEN) * random.gen_range(CREDIT / 2..2 * CREDIT);
    let group = limit_to(Rate::bytes(8_000_000, room).unwrap(), Rate::UNLIMITED);
    let (group, link) = (Node::new(group, [7; 2]), Node::new(ABSENT, [7; 2]));
    let clock = ModelClock { now: START.into(), period: 1 };
    let granted = CREDIT * cost + random.gen_range(0..cost);
    let processors = random.gen_range(2..=3);
    let passed: u64 = thread::scope(|scope| {
        let send = || {
            let (host, group, link) = (host.account(), group.account(), link.account());
            let levels = Levels { host, group, link };
            let passes = || admit(&clock, &levels, packet_of(LEN, 0)).refused.is_none();
            (0..CREDIT).filter(|_| passes()).count() as u64
        };
        let senders: Vec<_> = (0..processors).map(|_| scope.spawn(send)).collect();
        grant(&host.tats[0], START, granted);
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    let (found, cost) = (position(host.tats[0].load(SeqCst)), i128::from(cost));
    let ungranted = position(host.at_first[0]) + i128::from(passed) * cost;
    let off = found - (ungranted - i128::from(granted));
    let is_granted = -i128::from(granted / 4 * 3) <= off && off <= processors * cost;
    assert!(is_granted || found == ungranted, "{} packets off", off as f64 / cost as f64);
    assert!(found <= i128::from(rate.burst_ticks) + processors * cost);
}

#[test]
fn a_credit_that_one_grants_is_granted_once() {
    shuttle::check_random(run, 1_000);
}
