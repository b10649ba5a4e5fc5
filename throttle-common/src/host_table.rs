//! Finds and makes hosts in a set-associative table of single words.
//!
//! A host is a tag of 64 bits in one of the eight ways of one of two sets, and its state has the
//! number of that way. One cache line of tags is searched for most hosts, two for the rest. Ways are
//! claimed by compare-and-swap and searched in a fixed order, so that two processors that make the
//! same host at once end up with the same way; should each have claimed one, the way that is not found
//! is freed by the agent.

use crate::{
    abi::{HostSet, OVERFLOW_BUCKETS},
    address::Address,
    cell::AtomicWord,
};

/// Ways of a set: the tags of one cache line.
pub const WAYS: u32 = 8;

/// The way whose taking makes a set crowded: a new host then prefers its other set.
const CROWDED: usize = 4;

/// Attempts to claim a way.
const ATTEMPTS: usize = 4;

/// The longest prefix of IPv6 hosts that tags tell exactly.
pub const TAG_PREFIX_BITS: u8 = 64;

/// A way that nobody has.
pub const FREE: u64 = 0;

/// A way whose host has been removed and whose state may still be in use.
pub const RESTING: u64 = u64::MAX;

/// The table's sets.
pub trait Sets {
    /// The set with this number.
    fn set(&self, number: u32) -> Option<&HostSet>;
}

/// The host's address as one word: an IPv4 address, or the upper half of an IPv6 address whose lower
/// half is zero; of any other IPv6 address, a hash of both halves under `seed`.
///
/// IPv4 addresses take the place of the reserved prefix 0:ffff::/32, where no hash falls. The two
/// prefixes that would be [`FREE`] and [`RESTING`], ::/64 and the last one of multicast, share the
/// words next to these. Hosts of a /64 or a shorter prefix are told exactly; two longer ones share a
/// tag, and thus a bucket, with a chance of one in 2^60, which nobody can raise who does not know the
/// seed.
#[inline(always)]
#[must_use]
pub const fn tag(host: Address, seed: u64) -> u64 {
    let (high, low) = host.words();
    let tag = if host.is_ipv4() {
        low
    } else if low == 0 {
        high
    } else {
        let mixed = hash(hash(high, seed) ^ low, !seed);
        if Address::from_words(0, mixed).is_ipv4() { !mixed } else { mixed }
    };
    match tag {
        FREE => FREE + 1,
        RESTING => RESTING - 1,
        tag => tag,
    }
}

/// Spreads tags evenly over all bits, differently for each `seed` (the finaliser of MurmurHash3).
#[inline(always)]
#[must_use]
pub const fn hash(tag: u64, seed: u64) -> u64 {
    let mut mixed = tag ^ seed;
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    mixed ^ (mixed >> 33)
}

/// The number of the overflow buckets of a host that the table has no room for, under the limit in a slot.
///
/// Hosts of different limits are kept apart as far as the hash does, since a debt on a slow limit
/// lasts longer than one on a fast limit.
#[inline(always)]
#[must_use]
pub const fn overflow_number(host: Address, slot: u32, seed: u64) -> u32 {
    hash(tag(host, seed), seed ^ slot as u64) as u32 % OVERFLOW_BUCKETS
}

/// The address behind a tag that is no hash.
#[must_use]
pub const fn address(tag: u64) -> Address {
    let mapped = Address::from_words(0, tag);
    if mapped.is_ipv4() { mapped } else { Address::from_words(tag, 0) }
}

/// The two sets that a host may be in.
#[derive(Debug, Clone, Copy)]
pub struct Choices {
    first: u32,
    second: u32,
}

impl Choices {
    /// The sets for `tag` in a table of `mask + 1` sets, a power of two.
    #[inline(always)]
    #[must_use]
    pub const fn new(tag: u64, seed: u64, mask: u32) -> Self {
        let hash = hash(tag, seed);
        Self { first: (hash >> 32) as u32 & mask, second: hash as u32 & mask }
    }
}

impl Choices {
    /// The ways of both sets, counted over the whole table.
    #[must_use]
    pub const fn ways(self) -> [core::ops::Range<u32>; 2] {
        let (first, second) = (self.first * WAYS, self.second * WAYS);
        [first..first + WAYS, second..second + WAYS]
    }
}

/// The way that has `tag`, counted over the whole table.
#[inline(always)]
pub fn find(sets: &impl Sets, choices: Choices, tag: u64) -> Option<u32> {
    match way(sets.set(choices.first)?, tag) {
        Some(found) => Some(choices.first * WAYS + found),
        None => Some(choices.second * WAYS + way(sets.set(choices.second)?, tag)?),
    }
}

/// Claims a way for `tag`, or finds the one that another processor has just claimed.
///
/// `None` when both sets are full, or when others were faster in every attempt: the next packet tries
/// again.
#[inline(always)]
pub fn make(sets: &impl Sets, choices: Choices, tag: u64) -> Option<u32> {
    for _ in 0..ATTEMPTS {
        if let Some(found) = find(sets, choices, tag) {
            return Some(found);
        }
        let number = roomier(sets, choices)?;
        let set = sets.set(number)?;
        let free = way(set, FREE)?;
        if set.tags.get(free as usize)?.compare_exchange(FREE, tag).is_ok() {
            return Some(number * WAYS + free);
        }
    }
    None
}

/// The first set while few of its ways are taken, else the second on the same terms, else whichever
/// has room. Ways are taken from the lowest on, so that one of them tells how many are.
#[inline(always)]
fn roomier(sets: &impl Sets, choices: Choices) -> Option<u32> {
    let Choices { first, second } = choices;
    let is_free = |number, way: usize| Some(sets.set(number)?.tags[way].load() == FREE);
    if is_free(first, CROWDED)? {
        return Some(first);
    }
    if is_free(second, CROWDED)? || way(sets.set(first)?, FREE).is_none() {
        return Some(second);
    }
    Some(first)
}

/// The first way of a set that holds `tag`.
#[inline(always)]
fn way(set: &HostSet, tag: u64) -> Option<u32> {
    let found = set.tags.iter().position(|found| found.load() == tag)?;
    Some(found as u32)
}

/// Sets of a table with room for `hosts` hosts: a power of two, of which they fill half at most, so
/// that both sets of a host are hardly ever full.
#[must_use]
pub const fn sets_for(hosts: u32) -> u32 {
    let ways = hosts as u64 * 2;
    let sets = ways.div_ceil(WAYS as u64).next_power_of_two();
    if sets > MAX_SETS as u64 { MAX_SETS } else { sets as u32 }
}

/// Hosts that a table of `sets` sets is made for: the most of which [`sets_for`] makes that many.
#[must_use]
pub const fn hosts_for(sets: u32) -> u32 {
    sets * WAYS / 2
}

/// The largest table: 128 million ways, which take 18 GB.
const MAX_SETS: u32 = 1 << 24;

#[cfg(test)]
mod tests;
