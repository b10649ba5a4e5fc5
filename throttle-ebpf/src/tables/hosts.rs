//! The host table. Nothing else knows what kind of map it is.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{Array, HashMap},
};
use throttle_common::{abi::Host, address::Address};

/// Capacity set by the agent. Preallocated: a flood of new hosts takes no memory.
#[map]
static HOSTS: HashMap<Address, Host> = HashMap::with_max_entries(1, 0);

/// Always zero: what a new host starts as, without 128 bytes on the stack.
#[map]
static BLANK: Array<Host> = Array::with_max_entries(1, 0);

/// The state of a host, or `None` when it is not in the table.
#[inline(always)]
pub(crate) fn get(address: &Address) -> Option<&'static Host> {
    // SAFETY: the agent removes idle hosts only. A packet that still holds the state of a host
    // removed at this instant at worst charges the host that reuses the memory.
    unsafe { HOSTS.get(address) }
}

/// Adds a host, or finds the one that another processor has just added.
///
/// `None` when the table has no room.
#[inline(always)]
pub(crate) fn make(address: &Address) -> Option<&'static Host> {
    // A failure shows in the look-up that follows.
    let _ = HOSTS.insert(address, BLANK.get(0)?, BPF_NOEXIST.into());
    get(address)
}
