//! Random trees: hosts below a group below a link, any of them absent or letting excess pass.

use super::*;
use crate::{
    abi::{Direction, Limit, LimitRates},
    bucket::tests::{ABSENT, START, limit_to},
    rate::{Rate, TICKS_PER_SECOND},
};

/// The buckets of a level, and what they held at first.
pub(super) struct Node {
    pub(super) limit: Limit,
    /// Bytes, then packets.
    pub(super) tats: [Word; 2],
    pub(super) at_first: [u64; 2],
}

impl Node {
    pub(super) fn new(limit: Limit, at_first: [u64; 2]) -> Self {
        Self { limit, tats: at_first.map(Word::new), at_first }
    }

    pub(super) fn account(&self) -> Account<'_, Word> {
        let [bytes_tat, packets_tat] = &self.tats;
        Account::new(&self.limit, bytes_tat, packets_tat)
    }

    /// The buckets of a level that processors are charged for in advance, if they are.
    pub(super) fn account_of<'a>(&'a self, advances: Option<&'a Advances>) -> Account<'a, Word> {
        match advances {
            Some(advances) => self.account().in_advance(advances),
            None => self.account(),
        }
    }
}

pub(super) struct Tree {
    pub(super) hosts: Vec<Node>,
    pub(super) group: Node,
    pub(super) link: Node,
    pub(super) clock: ModelClock,
    pub(super) direction: Direction,
    /// What the longest packet costs at the slowest rate.
    pub(super) packet_ticks: u64,
    /// Whether processors are charged in advance, and for what in all.
    pub(super) advances: bool,
    pub(super) advanced: Advanced,
}

const MAX_BYTES: u32 = 3_000;

/// The word of a bucket that has long been idle.
const IDLE: u64 = 7;

impl Tree {
    /// While the clock stands, buckets that are idle at first find one clock, and those that find
    /// two are not idle: charges then begin at one time, and their sum is exact.
    pub(super) fn random(moving: bool) -> Self {
        let mut random = thread_rng();
        let bits_per_second = random.gen_range(1_000_000..1_000_000_000);
        let packet_ticks = u64::from(MAX_BYTES) * 8 * TICKS_PER_SECOND / bits_per_second;
        let is_idle = random.gen_ratio(1, 2);
        let period = if is_idle && !moving { 1 } else { random.gen_range(1..=packet_ticks) };
        let level = |present_in_4| {
            if !thread_rng().gen_ratio(present_in_4, 4) {
                return Node::new(ABSENT, [IDLE; 2]);
            }
            let limit = random_limit(bits_per_second, packet_ticks);
            let LimitRates { bytes, packets } = &limit.rates[0];
            let debt = |rate: &Rate| START + thread_rng().gen_range(0..=rate.burst_ticks);
            let at_first = if is_idle { [IDLE; 2] } else { [bytes, packets].map(debt) };
            Node::new(limit, at_first)
        };
        Self {
            hosts: (0..random.gen_range(1..=3)).map(|_| level(3)).collect(),
            group: level(3),
            link: level(2),
            clock: ModelClock { now: START.into(), period },
            direction: Direction::from_parity(random.gen_range(0..2)),
            packet_ticks,
            advances: random.gen_ratio(1, 2),
            advanced: Advanced::default(),
        }
    }

    /// A random packet, now and then a merged one.
    pub(super) fn load(&self) -> Load {
        let mut random = thread_rng();
        let packets = if random.gen_ratio(1, 4) { random.gen_range(2..=3) } else { 1 };
        let segment_bytes = random.gen_range(40..=MAX_BYTES / packets);
        let wire = Wire { bytes: segment_bytes * packets, packets, segment_bytes };
        Load { direction: self.direction, wire, phase: random.gen_range(0..u64::MAX) }
    }
}

/// A limit with room for few packets.
fn random_limit(bits_per_second: u64, packet_ticks: u64) -> Limit {
    let mut random = thread_rng();
    let burst = random.gen_range(0..=4 * u64::from(MAX_BYTES));
    let bytes = Rate::bytes(bits_per_second * random.gen_range(1..=4), burst).unwrap();
    let per_second = TICKS_PER_SECOND / packet_ticks * random.gen_range(1..=4);
    let burst = random.gen_range(0..=4) << (2 * random.gen_range(0..=1));
    let packets = Rate::packets(per_second, burst).unwrap();
    let [bytes, packets] = [bytes, packets].map(|rate| rate.advancing(random.gen_range(1..=3)));
    let (bytes, packets) = match random.gen_range(0..4) {
        0 => (bytes, Rate::UNLIMITED),
        1 => (Rate::UNLIMITED, packets),
        _ => (bytes, packets),
    };
    let mut limit = limit_to(bytes, packets);
    limit.flags = if random.gen_ratio(1, 4) { Limit::OBSERVE } else { 0 };
    limit.packet_unit_bytes = if random.gen_ratio(1, 4) { 500 } else { 0 };
    limit
}
