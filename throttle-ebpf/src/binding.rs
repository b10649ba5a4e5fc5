//! Which limit holds a host, remembered in the host's own state.

use throttle_common::{
    abi::{Binding, Policy},
    address::Address,
    cell::{AtomicWord, Cell},
};

use crate::tables::limits;

/// The limit that holds a host.
pub(crate) struct Bound {
    /// Slot of the limit, or [`Binding::NO_LIMIT`].
    pub(crate) slot: u32,
    /// Whether the limit is new to the host's buckets.
    pub(crate) novelty: Novelty,
}

/// Whether a limit is new to the buckets it is charged to.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Novelty {
    /// It held them before, or another processor has just seen to it.
    Known = 0,
    /// It is the first to hold them.
    First = 1,
    /// It takes the place of another limit.
    Successor = 2,
}

impl Novelty {
    /// The novelty of a number that was made of one.
    #[inline(always)]
    pub(crate) fn from_number(number: u64) -> Self {
        match number & 3 {
            1 => Self::First,
            2 => Self::Successor,
            _ => Self::Known,
        }
    }
}

/// Finds the limit of a host: the remembered one while the policy stays the same.
#[inline(always)]
pub(crate) fn bind(word: &Cell, address: &Address, policy: Policy) -> Bound {
    let found = word.load();
    let bound = Binding::from_word(found);
    if bound.generation == policy.generation {
        return Bound { slot: bound.slot, novelty: Novelty::Known };
    }
    // A full barrier between the reads of the policy and of the prefix table. Without it a
    // processor that reorders reads could remember a replaced limit under the new generation. The
    // exchange itself changes nothing.
    let _ = word.compare_exchange(found, found);
    let slot = limits::slot(address, policy.bank);
    let bound_now = Binding { generation: policy.generation, slot };
    Bound { slot, novelty: remember(word, found, bound_now) }
}

/// The limit of a host that the host table has no room for.
#[inline(always)]
pub(crate) fn unbound(address: &Address, policy: Policy) -> Bound {
    Bound { slot: limits::slot(address, policy.bank), novelty: Novelty::Known }
}

/// Remembers a limit in the place of what was `found`; one processor alone learns that it is new.
#[inline(always)]
pub(crate) fn remember(word: &Cell, found: u64, now: Binding) -> Novelty {
    if word.compare_exchange(found, now.to_word()).is_err() {
        return Novelty::Known;
    }
    let before = Binding::from_word(found);
    if before.generation == 0 {
        Novelty::First
    } else if before.slot == now.slot {
        Novelty::Known
    } else {
        Novelty::Successor
    }
}
