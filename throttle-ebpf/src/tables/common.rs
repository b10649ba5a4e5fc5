//! Buckets that many hosts are charged to.

use aya_ebpf::{macros::map, maps::Array};
use throttle_common::{
    abi::{CommonBuckets, OVERFLOW_BUCKETS},
    address::Address,
    host_table,
};

use super::config;

/// Capacity set by the agent.
#[map]
static SHARED: Array<CommonBuckets> = Array::with_max_entries(1, 0);

#[map]
static OVERFLOW: Array<CommonBuckets> = Array::with_max_entries(OVERFLOW_BUCKETS, 0);

/// The buckets that the prefix of the limit with this index shares.
#[inline(always)]
pub(crate) fn shared(index: u32) -> Option<&'static CommonBuckets> {
    SHARED.get(index)
}

/// The buckets of a host that the host table has no room for.
///
/// Hosts of different limits are kept apart as far as the hash does, since a debt on a slow limit
/// lasts longer than one on a fast limit.
#[inline(always)]
pub(crate) fn overflow(address: &Address, slot: u32) -> Option<&'static CommonBuckets> {
    let seed = config::get()?.hash_seed ^ u64::from(slot);
    let hash = host_table::hash(host_table::tag(*address), seed);
    OVERFLOW.get(hash as u32 % OVERFLOW_BUCKETS)
}
