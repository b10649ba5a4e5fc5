//! Counters: each packet once by reason and link, once by limit and once by host.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use throttle_common::{
    abi::{
        Direction, HostDirection, LimitUse, REASON_ENTRIES, Tally, limit_use_index, reason_index,
    },
    cell::AtomicWord,
    packet::Wire,
    verdict::Reason,
};

#[map]
static REASONS: PerCpuArray<Tally> = PerCpuArray::with_max_entries(REASON_ENTRIES, 0);

/// Capacity set by the agent.
#[map]
static LIMIT_USE: PerCpuArray<LimitUse> = PerCpuArray::with_max_entries(1, 0);

/// Counts a packet by link, direction and reason.
#[inline(always)]
pub(crate) fn add_reason(link: u32, direction: Direction, reason: Reason, wire: Wire) {
    if let Some(tally) = REASONS.get_ptr_mut(reason_index(link, direction, reason)) {
        // SAFETY: the entry is this processor's own, and a classifier is not preempted by another.
        add(unsafe { &mut *tally }, wire);
    }
}

/// Counts a packet by limit and direction.
#[inline(always)]
pub(crate) fn add_limit(index: u32, direction: Direction, passed: bool, wire: Wire) {
    if let Some(limit) = LIMIT_USE.get_ptr_mut(limit_use_index(index, direction)) {
        // SAFETY: the entry is this processor's own, and a classifier is not preempted by another.
        let limit = unsafe { &mut *limit };
        add(if passed { &mut limit.passed } else { &mut limit.excess }, wire);
    }
}

/// Counts a packet by host and direction.
#[inline(always)]
pub(crate) fn add_host(host: &HostDirection, passed: bool, wire: Wire) {
    let (bytes, packets) = if passed {
        (&host.passed_bytes, &host.passed_packets)
    } else {
        (&host.excess_bytes, &host.excess_packets)
    };
    bytes.add(wire.bytes.into());
    packets.add(wire.packets.into());
}

#[inline(always)]
fn add(tally: &mut Tally, wire: Wire) {
    tally.packets += u64::from(wire.packets);
    tally.bytes += u64::from(wire.bytes);
}
