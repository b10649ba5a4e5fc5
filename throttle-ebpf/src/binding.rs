//! Which limit holds a host, remembered in the host's own state.

use throttle_common::{
    abi::Binding,
    address::Address,
    cell::{AtomicWord, Cell},
};

use crate::tables::limits;

/// The limit that holds a host.
pub(crate) struct Bound {
    /// Slot of the limit, or `None` when no limit holds the host.
    pub(crate) slot: Option<u32>,
    /// Whether another limit, or none, held the host until now. A host's first packet changes nothing.
    pub(crate) changed: bool,
}

/// Finds the limit of a host: the remembered one while the policy stays the same.
#[inline(always)]
pub(crate) fn bind(word: &Cell, address: &Address, generation: u32) -> Bound {
    let found = word.load();
    let bound = Binding::from_word(found);
    if bound.generation == generation {
        return Bound { slot: bound.slot(), changed: false };
    }
    // A full barrier between the reads of the generation and of the prefix table. Without it a
    // processor that reorders reads could remember a replaced limit under the new generation. The
    // exchange itself changes nothing.
    let _ = word.compare_exchange(found, found);
    let slot = limits::slot(address);
    let bound_now = Binding::new(generation, slot);
    word.store(bound_now.to_word());
    Bound { slot, changed: bound.generation != 0 && bound_now.slot != bound.slot }
}
