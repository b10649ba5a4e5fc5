//! The limits and the prefixes that lead to them.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, LpmTrie, lpm_trie::Key},
};
use throttle_common::{
    abi::{Binding, Limit, PrefixKey, Role},
    address::Address,
};

/// Capacity set by the agent.
#[map]
static PREFIXES: LpmTrie<PrefixKey, u32> = LpmTrie::with_max_entries(1, 0);

/// Capacity set by the agent.
#[map]
static LIMITS: Array<Limit> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// A key on the stack, where the verifier wants words to be aligned.
#[repr(C, align(8))]
struct AlignedKey(Key<PrefixKey>);

/// Slot of the limit with the longest prefix that holds the host `address`, or
/// [`Binding::NO_LIMIT`].
///
/// A plain number: of an `Option` the compiler moves what `None` leaves undefined, which the verifier
/// refuses.
#[inline(always)]
pub(crate) fn slot(address: &Address, bank: u32) -> u32 {
    longest(PrefixKey::new(*address, Role::Host, bank))
}

/// Whether a prefix exempts the other address of a packet.
#[inline(always)]
pub(crate) fn exempts_peer(address: &Address, bank: u32) -> bool {
    longest(PrefixKey::new(*address, Role::Peer, bank)) != Binding::NO_LIMIT
}

#[inline(always)]
fn longest(key: PrefixKey) -> u32 {
    let key = AlignedKey(Key::new(PrefixKey::HOST_BITS, key));
    PREFIXES.get(&key.0).map_or(Binding::NO_LIMIT, |slot| *slot)
}

/// The limit in a slot.
#[inline(always)]
pub(crate) fn get(slot: u32) -> Option<&'static Limit> {
    LIMITS.get(slot)
}
