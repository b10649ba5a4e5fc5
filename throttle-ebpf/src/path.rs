//! The way of a packet: link, addresses, host, limit, verdict, counters.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    programs::TcContext,
};
use aya_log_ebpf::{debug, warn};
use throttle_common::{
    abi::{Direction, Hook},
    cell::AtomicWord,
    packet::{self, Packet, Wire},
    verdict::Reason,
};

use crate::{
    binding::{self, Bound},
    charge::{self, Charge},
    skb::{self, Frame},
    tables::{config, counters, hosts, limits, links},
};

/// Decides about one packet. One that passes goes on to the programs of others.
#[inline(always)]
pub(crate) fn run(ctx: &TcContext, hook: Hook) -> i32 {
    let Some(link) = links::get(skb::ifindex(ctx)) else {
        return TC_ACT_UNSPEC;
    };
    let direction = link.direction(hook);
    let (reason, wire) = decide(ctx, direction);
    counters::add_reason(link.index, direction, reason, wire);
    if reason.refuses() {
        debug!(
            ctx,
            "refused {} bytes, direction {}, reason {}",
            wire.bytes,
            direction as u32,
            reason as u32
        );
        return TC_ACT_SHOT;
    }
    TC_ACT_UNSPEC
}

/// Finds the packet's addresses and size.
#[inline(always)]
fn decide(ctx: &TcContext, direction: Direction) -> (Reason, Wire) {
    let frame = Frame::of(ctx);
    let buffer = skb::buffer(ctx);
    let packet = match packet::parse(&frame) {
        Ok(packet) => packet,
        Err(cause) => return (cause.into(), Wire { bytes: buffer.len_bytes, packets: 1 }),
    };
    let wire = packet::measure(&frame, &packet, buffer);
    if packet.is_exempt() {
        return (Reason::Exempt, wire);
    }
    (limit(ctx, direction, &packet, wire), wire)
}

/// Finds the packet's host, made at its first packet, and the limit that holds it.
#[inline(always)]
fn limit(ctx: &TcContext, direction: Direction, packet: &Packet, wire: Wire) -> Reason {
    let Some(config) = config::get() else {
        return Reason::Internal;
    };
    let address = match direction {
        Direction::Up => packet.source,
        Direction::Down => packet.destination,
    }
    .host(&config.ipv6_mask);
    let generation = config.generation.load() as u32;

    let host = match hosts::get(config, address) {
        Some(host) => Some(host),
        None if limits::slot(&address).is_none() => return Reason::NoLimit,
        None => hosts::make(config, address),
    };
    let bound = match host {
        Some(host) => binding::bind(&host.direction(direction).binding, &address, generation),
        None => {
            warn!(ctx, "the host table is full: a host is charged to an overflow bucket");
            Bound { slot: limits::slot(&address), changed: false }
        }
    };
    let Some(slot) = bound.slot else {
        return Reason::NoLimit;
    };
    let Some(limit) = limits::get(slot) else {
        return Reason::Internal;
    };
    let changed = bound.changed;
    charge::charge(&Charge { limit, slot, host, address, direction, changed, wire })
        .unwrap_or(Reason::Internal)
}
