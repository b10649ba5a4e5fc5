//! Buckets that many hosts are charged to.

use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};
use throttle_common::{
    abi::{CommonBuckets, Config, OVERFLOW_BUCKETS},
    address::Address,
    host_table,
};

/// Capacity set by the agent.
#[map]
static SHARED: Array<CommonBuckets> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
static OVERFLOW: Array<CommonBuckets> = Array::with_max_entries(OVERFLOW_BUCKETS, 0);

/// The buckets of the prefix, group or link whose limit has this index.
#[inline(always)]
pub(crate) fn shared(index: u32) -> Option<&'static CommonBuckets> {
    SHARED.get(index)
}

/// The number of the overflow buckets of a host that the host table has no room for.
#[inline(always)]
pub(crate) fn overflow_number(config: &Config, address: &Address, slot: u32) -> u32 {
    host_table::overflow_number(*address, slot, config.hash_seed)
}

/// Overflow buckets.
#[inline(always)]
pub(crate) fn overflow(number: u32) -> Option<&'static CommonBuckets> {
    OVERFLOW.get(number)
}
