//! The way of a packet: link, addresses, host, limit, verdict, counters.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    programs::TcContext,
};
use aya_log_ebpf::debug;
use throttle_common::{
    abi::{Binding, Config, Direction, Hook, Limit, Link, Policy},
    cell::AtomicWord,
    verdict::Reason,
};

use crate::{
    binding,
    charge::{self, Place},
    excess,
    seen::{self, Read, Seen},
    skb,
    tables::{common, config, counters, hosts, limits, links},
};

/// Decides about one packet. One that passes goes on to the programs of others.
#[inline(always)]
pub(crate) fn run(ctx: &TcContext, hook: Hook) -> i32 {
    let (Some(link), Some(config)) = (links::get(skb::ifindex(ctx)), config::get()) else {
        return TC_ACT_UNSPEC;
    };
    let policy = Policy::from_word(config.policy.load());
    let direction = link.direction(hook);
    let mut seen = MaybeUninit::uninit();
    let Read { seen, verdict } = seen::read(ctx, config, (link, direction), policy.bank, &mut seen);
    let reason = match verdict {
        Some(reason) => reason,
        None => limit(ctx, seen, config, policy, (link, hook)),
    };
    let wire = seen.wire();
    counters::add_reason(link.index, direction, reason, wire);
    if reason.refuses() {
        log_refusal(ctx, wire.bytes, direction, reason);
        return TC_ACT_SHOT;
    }
    TC_ACT_UNSPEC
}

/// Finds the packet's host, made at its first packet, and the limit that holds it.
#[inline(always)]
fn limit(
    ctx: &TcContext,
    seen: &Seen,
    config: &Config,
    policy: Policy,
    (link, hook): (&Link, Hook),
) -> Reason {
    let direction = seen.direction();
    let address = seen.host().host(&config.ipv6_mask);
    if policy.has_peers && limits::exempts_peer(&seen.peer(), policy.bank) {
        return Reason::ExemptPeer;
    }
    let way = match hosts::find(config, address) {
        Some(way) => way,
        None => {
            let slot = limits::slot(&address, policy.bank);
            if slot == Binding::NO_LIMIT {
                return no_limit(seen, link, policy);
            }
            // An exempt host needs no state, and would take the room of others.
            if limits::get(slot).is_some_and(|limit| limit.has(Limit::PASS)) {
                return Reason::ExemptPrefix;
            }
            hosts::make(address)
        }
    };
    let host = hosts::in_way(way);
    let bound = match host {
        Some(host) => binding::bind(&host.direction(direction).buckets.binding, &address, policy),
        None => binding::unbound(&address, policy),
    };
    let slot = bound.slot;
    if slot == Binding::NO_LIMIT {
        return no_limit(seen, link, policy);
    }
    let Some(limit) = limits::get(slot) else {
        return Reason::Internal;
    };
    if limit.has(Limit::PASS) {
        return Reason::ExemptPrefix;
    }
    let has_way = host.is_some();
    let number = if has_way { way } else { common::overflow_number(config, &address, slot) };
    let place = Place {
        number,
        has_way,
        novelty: bound.novelty,
        can_pace: link.can_pace(hook),
        bank: policy.bank,
    };
    let reason = charge::charge(ctx, seen, (slot, link.common), place);
    if has_way && reason.is_excess() {
        excess::note(seen, way, reason);
    }
    reason
}

/// A host that no limit holds is charged to its link alone.
#[inline(always)]
fn no_limit(seen: &Seen, link: &Link, policy: Policy) -> Reason {
    if link.common == Limit::NO_ROW {
        return Reason::NoLimit;
    }
    charge::charge_link(seen, link.common, policy.bank)
}

/// Takes numbers rather than the packet, which then need not lie in memory for it.
#[inline(never)]
fn log_refusal(ctx: &TcContext, bytes: u32, direction: Direction, reason: Reason) -> u32 {
    debug!(
        ctx,
        "refused {} bytes, direction {}, reason {}", bytes, direction as u32, reason as u32
    );
    0
}
