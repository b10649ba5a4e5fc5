//! Buckets, and what happens to them under another limit.

use throttle_common::{
    abi::{Binding, Buckets, Direction, Limit},
    bucket::{self, Account, Advances, Clock},
    cell::{AtomicWord as _, Cell},
};

/// A clock that stands: no bucket drains.
pub(super) struct FrozenClock;

/// Any time that no bucket reaches zero from.
const NOW_TICKS: u64 = 1 << 50;

impl Clock for FrozenClock {
    fn coarse(&self) -> u64 {
        NOW_TICKS
    }

    fn precise(&self) -> u64 {
        NOW_TICKS
    }
}

/// Whether a limit is new to the buckets it is charged to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    Known,
    First,
    Successor,
}

/// Whether buckets get what a limit grants once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grants {
    Never,
    Once,
}

/// Buckets of a group, a link or a shared prefix, and what the one processor has of them in advance.
#[derive(Default)]
pub(super) struct Common {
    buckets: [OwnedBuckets; 2],
    pub(super) advances: [Advances; 2],
}

struct OwnedBuckets(Buckets);

impl Default for OwnedBuckets {
    fn default() -> Self {
        Self(empty())
    }
}

pub(super) fn empty() -> Buckets {
    Buckets { bytes_tat: Cell::new(0), packets_tat: Cell::new(0), binding: Cell::new(0) }
}

impl Common {
    pub(super) fn buckets(&self) -> [&Buckets; 2] {
        self.buckets.each_ref().map(|OwnedBuckets(buckets)| buckets)
    }

    /// Binds the buckets to the limit in a slot; they outlive the policies of their hosts.
    pub(super) fn renew(&self, limit: &Limit, slot: u32, direction: Direction, grants: Grants) {
        let now = Binding { generation: 1, slot };
        let binding = &self.buckets()[direction as usize].binding;
        if binding.load() != now.to_word() {
            let novelty = bind(binding, now);
            renew(limit, slot, self.buckets(), direction, novelty, grants);
        }
    }
}

/// Binds buckets to a limit, and says whether that is new to them.
pub(super) fn bind(binding: &Cell, now: Binding) -> Novelty {
    let before = Binding::from_word(binding.load());
    binding.store(now.to_word());
    if before.generation == 0 {
        Novelty::First
    } else if before.slot == now.slot {
        Novelty::Known
    } else {
        Novelty::Successor
    }
}

/// Cuts debts to the bursts of a limit that took the place of another, and grants what a limit grants once. Of a
/// total both directions are charged to one bucket, which whoever comes first renews.
pub(super) fn renew(
    limit: &Limit,
    slot: u32,
    buckets: [&Buckets; 2],
    direction: Direction,
    novelty: Novelty,
    grants: Grants,
) {
    if novelty == Novelty::Known {
        return;
    }
    let own = buckets[direction as usize];
    renew_own(limit, own, direction, novelty, grants);
    if limit.has(Limit::TOTAL_BYTES | Limit::TOTAL_PACKETS) {
        let generation = Binding::from_word(own.binding.load()).generation;
        let up = buckets[Direction::Up as usize];
        let novelty = bind(&up.binding, Binding { generation, slot });
        renew_own(limit, up, Direction::Up, novelty, grants);
    }
}

fn renew_own(
    limit: &Limit,
    buckets: &Buckets,
    direction: Direction,
    novelty: Novelty,
    grants: Grants,
) {
    let rates = &limit.rates[direction as usize];
    if novelty == Novelty::Successor {
        bucket::clamp(&buckets.bytes_tat, NOW_TICKS, rates.bytes.burst_ticks);
        bucket::clamp(&buckets.packets_tat, NOW_TICKS, rates.packets.burst_ticks);
    }
    let granted_ticks = limit.one_time_ticks[direction as usize];
    if novelty != Novelty::Known && grants == Grants::Once && granted_ticks != 0 {
        bucket::grant(&buckets.bytes_tat, NOW_TICKS, granted_ticks);
    }
}

/// The account of a packet of a direction: of a total, both directions are charged to `Up`.
pub(super) fn account<'a>(
    limit: &'a Limit,
    buckets: [&'a Buckets; 2],
    direction: Direction,
) -> Account<'a, Cell> {
    let of = |total| buckets[if limit.has(total) { Direction::Up } else { direction } as usize];
    let (bytes, packets) = (of(Limit::TOTAL_BYTES), of(Limit::TOTAL_PACKETS));
    Account::new(limit, &bytes.bytes_tat, &packets.packets_tat)
}
