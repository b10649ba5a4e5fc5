//! Notes a packet that found no room, and tells the agent when its host has just begun to exceed its limit.

use throttle_common::{
    abi::{ExcessEvent, HostDirection, LastExcess},
    verdict::Reason,
};

use crate::{
    seen::Seen,
    tables::{config, events, hosts},
};

/// Notes the excess of the host that has a way. One without has no place for it; that the table is full is told
/// by other means.
#[inline(always)]
pub(crate) fn note(seen: &Seen, way: u32, reason: Reason) {
    throttle_note_excess(seen, way, reason as u32);
}

/// [`note`] as a global function; see [`Seen`]. It is called when the charge has returned: the stack has no room
/// below that.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_note_excess(seen: *const Seen, way: u32, reason: u32) -> u32 {
    // SAFETY: the verifier sees to it that a pointer which is not null is valid.
    let Some(seen) = (unsafe { seen.as_ref() }) else { return 0 };
    let Some(host) = hosts::in_way(way) else { return 0 };
    let HostDirection { last_seen, last_excess, .. } = host.direction(seen.direction());
    // The charge has just noted when the packet came.
    let now = LastExcess::new(Reason::from_number(reason), last_seen.load());
    let found = last_excess.load();
    if found == now.to_word() {
        return 0;
    }
    if !now.begins_after(LastExcess::from_word(found)) {
        last_excess.store(now.to_word());
        return 0;
    }
    // Of the processors that see it begin, one tells.
    if last_excess.replace(found, now.to_word())
        && let Some(config) = config::get()
    {
        let (high, low) = seen.host().host(&config.ipv6_mask).words();
        let direction = seen.direction() as u32;
        events::tell(ExcessEvent { host: [high, low], direction, reason });
    }
    0
}
