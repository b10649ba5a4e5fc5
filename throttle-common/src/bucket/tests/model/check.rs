//! What holds of every bucket once a run is over.

use super::*;
use crate::{bucket::tests::START, rate::Rate};

/// A packet that a bucket was charged for, and kept.
struct Kept {
    round: usize,
    processor: usize,
    end: u64,
    cost: u64,
}

/// One bucket: its rate, its word at first and at last, and what was charged to it.
struct Bucket<'a> {
    rate: &'a Rate,
    at_first: u64,
    word: u64,
    kept: Vec<Kept>,
    /// The least and the most that processors still have in advance.
    ahead: [u64; 2],
}

pub(super) fn check(tree: &Tree, starts: &[u64], rounds: &[Vec<Sent>], moving: bool) {
    let sent = || rounds.iter().flatten();
    for packet in sent() {
        check_outcome(tree, packet);
    }
    for (number, host) in tree.hosts.iter().enumerate() {
        let crosses = |packet: &Sent| packet.host == number;
        check_level(tree, host, Excess::HOST, starts, rounds, [[0; 2]; 2], crosses);
    }
    let parents = [(Excess::GROUP, &tree.group), (Excess::LINK, &tree.link)];
    for (number, (level, node)) in parents.into_iter().enumerate() {
        let ahead = [0, 1].map(|kind| ahead(tree, number, kind, moving));
        check_level(tree, node, level, starts, rounds, ahead, |packet| !packet.alone);
    }
}

/// What processors have in advance: what they did not spend, of which time takes its part.
fn ahead(tree: &Tree, parent: usize, kind: usize, moving: bool) -> [u64; 2] {
    let ticks = |of: &[[AtomicU64; 2]; 2]| of[parent][kind].load(Ordering::SeqCst);
    let Advanced { taken, left } = &tree.advanced;
    if moving { [0, ticks(taken)] } else { [ticks(left); 2] }
}

/// Only a level that refuses excess refuses a packet, and by a bucket that it has; only one that
/// lets excess pass has some.
fn check_outcome(tree: &Tree, packet: &Sent) {
    let host = &tree.hosts[packet.host];
    if let Some(by) = packet.outcome.refused {
        let (node, kind) = match by {
            Refused::HostBytes => (host, Kind::Bytes),
            Refused::HostPackets => (host, Kind::Packets),
            Refused::GroupBytes => (&tree.group, Kind::Bytes),
            Refused::GroupPackets => (&tree.group, Kind::Packets),
            Refused::LinkBytes => (&tree.link, Kind::Bytes),
            Refused::LinkPackets => (&tree.link, Kind::Packets),
        };
        let rates = &node.limit.rates[tree.direction as usize];
        let rate = if kind == Kind::Bytes { &rates.bytes } else { &rates.packets };
        assert!(rate.is_limited() && !node.limit.lets_excess_pass(), "refused by {by:?}");
    }
    let levels = [(Excess::HOST, host), (Excess::GROUP, &tree.group), (Excess::LINK, &tree.link)];
    for (level, node) in levels {
        assert!(!packet.outcome.excess.is_of(level) || node.limit.lets_excess_pass());
    }
}

fn check_level(
    tree: &Tree,
    node: &Node,
    level: Excess,
    starts: &[u64],
    rounds: &[Vec<Sent>],
    ahead: [[u64; 2]; 2],
    crosses: impl Fn(&Sent) -> bool,
) {
    let rates = &node.limit.rates[tree.direction as usize];
    for (kind, rate) in [&rates.bytes, &rates.packets].into_iter().enumerate() {
        let cost = |load: &Load| {
            let units = [load.wire.bytes, load.wire.units(node.limit.packet_unit_bytes)];
            rate.cost(units[kind], load.phase)
        };
        let is_kept = |packet: &Sent| {
            let Outcome { refused, excess, .. } = packet.outcome;
            crosses(packet) && refused.is_none() && !excess.is_of(level)
        };
        let mut kept = Vec::new();
        for (round, sent) in rounds.iter().enumerate() {
            kept.extend(sent.iter().filter(|packet| is_kept(packet)).map(|packet| Kept {
                round,
                processor: packet.processor,
                end: packet.end,
                cost: cost(&packet.load),
            }));
        }
        let (at_first, word) = (node.at_first[kind], node.tats[kind].load(SeqCst));
        let bucket = Bucket { rate, at_first, word, kept, ahead: ahead[kind] };
        if rate.is_limited() {
            bucket.check_sum(&tree.clock);
            bucket.check_windows(starts, tree.clock.period);
        } else {
            assert_eq!(word, at_first, "what is not limited is not charged");
        }
    }
}

impl Bucket<'_> {
    /// The word is the sum of what was kept, but for the time that the bucket was idle.
    fn check_sum(&self, clock: &ModelClock) {
        let sum: u64 = self.kept.iter().map(|kept| kept.cost).sum();
        let now = clock.precise();
        let [least_ahead, most_ahead] = self.ahead;
        let most = self.at_first.max(now) + sum + most_ahead;
        assert!(self.word <= most, "{} ticks kept of packets refused", self.word - most);
        let began = START - START % clock.period;
        let charged = sum + least_ahead;
        let least = if charged == 0 { self.at_first } else { self.at_first.max(began) + charged };
        assert!(self.word >= least, "{} ticks lost", least - self.word);
    }

    /// No window that begins with a round, when no packet is under way, passes too much.
    fn check_windows(&self, starts: &[u64], period: u64) {
        let mut by_end: Vec<_> = self.kept.iter().collect();
        by_end.sort_by_key(|kept| kept.end);
        for (first, start) in starts.iter().enumerate() {
            let (mut sum, mut in_flight) = (0, [0; MAX_PROCESSORS]);
            for kept in by_end.iter().filter(|kept| kept.round >= first) {
                sum += kept.cost;
                let longest = &mut in_flight[kept.processor];
                *longest = kept.cost.max(*longest);
                let elapsed = kept.end - start;
                let most = elapsed + self.rate.burst_ticks + period + in_flight.iter().sum::<u64>();
                assert!(sum <= most, "{sum} ticks passed in a window of {elapsed}, not {most}");
            }
        }
    }
}
