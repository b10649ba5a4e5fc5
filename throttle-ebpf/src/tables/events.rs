//! Events for the agent, and what keeps a flood from filling their ring buffer.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, RingBuf},
};
use throttle_common::{
    abi::{EVENTS_BYTES, EventBudget, ExcessEvent},
    bucket::{self, Clock},
    cell::AtomicWord,
};

use crate::clock::KernelClock;

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);

#[map]
static EVENT_BUDGET: Array<EventBudget> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Tells the agent of a host, or counts the event as lost.
///
/// The kernel wakes the agent only when that has read all there was before, so a flood of events costs no flood
/// of wake-ups.
#[inline(always)]
pub(crate) fn tell(event: ExcessEvent) {
    let Some(budget) = EVENT_BUDGET.get(0) else { return };
    if affords(budget)
        && let Some(mut entry) = EVENTS.reserve::<ExcessEvent>(0)
    {
        entry.write(event);
        entry.submit(0);
        return;
    }
    budget.lost.add(1);
}

/// Takes an event from the budget, a bucket of its own.
#[inline(always)]
fn affords(budget: &EventBudget) -> bool {
    let now = KernelClock::read(0).coarse();
    let found = budget.tat.load();
    let debt = bucket::debt(found, now);
    // Whoever loses an exchange goes without.
    debt <= EventBudget::BURST_TICKS
        && budget.tat.compare_exchange(found, now + debt + EventBudget::COST_TICKS).is_ok()
}
