//! The limits and the prefixes that lead to them.

use aya_ebpf::{
    macros::map,
    maps::{Array, LpmTrie, lpm_trie::Key},
};
use throttle_common::{
    abi::{Limit, PrefixKey},
    address::Address,
};

/// Capacity set by the agent.
#[map]
static PREFIXES: LpmTrie<PrefixKey, u32> = LpmTrie::with_max_entries(1, 0);

/// Capacity set by the agent.
#[map]
static LIMITS: Array<Limit> = Array::with_max_entries(1, 0);

/// A key on the stack, where the verifier wants words to be aligned.
#[repr(C, align(8))]
struct AlignedKey(Key<PrefixKey>);

/// Slot of the limit with the longest prefix that holds `address`.
#[inline(always)]
pub(crate) fn slot(address: &Address) -> Option<u32> {
    let key = AlignedKey(Key::new(PrefixKey::HOST_BITS, PrefixKey::new(*address)));
    PREFIXES.get(&key.0).copied()
}

/// The limit in a slot.
#[inline(always)]
pub(crate) fn get(slot: u32) -> Option<&'static Limit> {
    LIMITS.get(slot)
}
