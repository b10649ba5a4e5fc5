//! Buckets that come under another limit: their debt is cut to its burst, and what it grants once is granted.

use throttle_common::{
    abi::{Binding, Buckets, CommonBuckets, Direction, Host, Limit},
    bucket::{self, Clock},
    cell::AtomicWord,
};

use crate::{
    binding::{self, Novelty},
    clock::KernelClock,
    tables::limits,
};

/// Renews the buckets of a direction, which were just bound to a limit, and those `up` where it has a total:
/// both directions are charged to these, so whoever comes first binds and renews them. `grants` is 1 when they
/// get what the limit grants once, else 0.
#[inline(always)]
fn renew(
    limit: &Limit,
    (own, up): (&Buckets, &Buckets),
    direction: Direction,
    novelty: Novelty,
    grants: u64,
) {
    let bound = own.binding.load();
    throttle_renew(own, bound, direction as u32, novelty as u64, grants);
    if limit.has(Limit::TOTAL_BYTES | Limit::TOTAL_PACKETS) {
        throttle_renew(up, bound, Direction::Up as u32, UNBOUND, grants);
    }
}

/// Renews the buckets of a host that was just bound to a limit, unless its prefix shares some.
#[inline(always)]
pub(crate) fn renew_host(host: &Host, direction: Direction, novelty: Novelty) {
    let [own, up] = [direction, Direction::Up].map(|of| &host.direction(of).buckets);
    let bound = Binding::from_word(own.binding.load());
    if let Some(limit) = limits::get(bound.slot)
        && !limit.has(Limit::SHARED)
    {
        renew(limit, (own, up), direction, novelty, 1);
    }
}

/// Binds buckets that many hosts are charged to, and renews them if the limit is new to them: they outlive the
/// binding of each host.
#[inline(always)]
pub(crate) fn renew_common(
    common: &CommonBuckets,
    (limit, slot): (&Limit, u32),
    direction: Direction,
    grants: u64,
) {
    let [own, up] = [direction, Direction::Up].map(|of| &common.direction(of).buckets);
    let (found, now) = (own.binding.load(), Binding { generation: 1, slot });
    if found != now.to_word() {
        let novelty = binding::remember(&own.binding, found, now);
        renew(limit, (own, up), direction, novelty, grants);
    }
}

/// In place of a novelty: the buckets are yet to be bound.
const UNBOUND: u64 = 3;

/// Renews buckets under the limit that the word `bound` names. A global function, which the verifier goes
/// through once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_renew(
    buckets: *const Buckets,
    bound: u64,
    direction: u32,
    novelty: u64,
    grants: u64,
) -> u32 {
    // SAFETY: the verifier sees to it that a pointer which is not null is valid.
    let Some(buckets) = (unsafe { buckets.as_ref() }) else { return 0 };
    let now = Binding::from_word(bound);
    let novelty = if novelty == UNBOUND {
        binding::remember(&buckets.binding, buckets.binding.load(), now)
    } else {
        Novelty::from_number(novelty)
    };
    if novelty == Novelty::Known {
        return 0;
    }
    let Some(limit) = limits::get(now.slot) else { return 0 };
    let direction = Direction::from_parity(direction);
    let rates = &limit.rates[direction as usize];
    let now = KernelClock::read(0).precise();
    let Buckets { bytes_tat, packets_tat, .. } = buckets;
    if novelty == Novelty::Successor {
        bucket::clamp(bytes_tat, now, rates.bytes.burst_ticks);
        bucket::clamp(packets_tat, now, rates.packets.burst_ticks);
    }
    let one_time_ticks = limit.one_time_ticks[direction as usize] * grants;
    if one_time_ticks != 0 {
        bucket::grant(bytes_tat, now, one_time_ticks);
    }
    0
}
