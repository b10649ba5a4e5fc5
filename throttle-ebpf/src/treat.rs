//! Does to a packet what the action of its limit says, through helpers: packets are never written
//! directly.

use aya_ebpf::{
    bindings::{__sk_buff, BPF_F_RECOMPUTE_CSUM},
    programs::TcContext,
};
use throttle_common::{
    packet::Version,
    rate::TICKS_PER_NS,
    traffic_class::ClassBytes,
    verdict::{Reason, Treatment, Verdict},
};

use crate::skb;

/// Offset of the checksum in an IPv4 header, in bytes.
const IPV4_CHECKSUM: usize = 10;

/// Treats the packet whose IP header of `version` is at `offset`; returns the reason it passes for, or
/// is refused for.
#[inline(always)]
pub(crate) fn treat(ctx: &TcContext, offset: usize, version: Version, verdict: &Verdict) -> Reason {
    let Verdict { reason, treatment, value, untreated } = *verdict;
    let is_treated = match treatment {
        Treatment::None => true,
        Treatment::Ce => mark_ce(ctx, offset, version),
        Treatment::Dscp => set_dscp(ctx, offset, version, value as u8),
        Treatment::Mark => {
            ctx.skb.set_mark(value as u32);
            true
        }
        Treatment::Pace => {
            depart(ctx, value / TICKS_PER_NS);
            true
        }
        Treatment::PaceCe => {
            depart(ctx, value / TICKS_PER_NS);
            mark_ce(ctx, offset, version);
            true
        }
    };
    if is_treated { reason } else { untreated }
}

/// Marks the packet CE; `false` when its sender takes no part in ECN.
#[inline(never)]
fn mark_ce(ctx: &TcContext, offset: usize, version: Version) -> bool {
    let Some(bytes) = skb::load(ctx, offset) else { return false };
    let class = ClassBytes::new(version, bytes);
    class.is_ecn_capable() && rewrite(ctx, offset, class, class.marked_ce())
}

/// Gives the packet another DSCP.
#[inline(never)]
fn set_dscp(ctx: &TcContext, offset: usize, version: Version, dscp: u8) -> bool {
    let Some(bytes) = skb::load(ctx, offset) else { return false };
    let class = ClassBytes::new(version, bytes);
    rewrite(ctx, offset, class, class.with_dscp(dscp))
}

/// Writes the bytes of the traffic class, and the checksum of an IPv4 header.
///
/// The kernel's own `bpf_skb_ecn_set_ce` takes what lies behind an in-band VLAN tag for the header.
#[inline(always)]
fn rewrite(ctx: &TcContext, offset: usize, before: ClassBytes, after: ClassBytes) -> bool {
    let (from, to) = (u16::from_ne_bytes(before.bytes()), u16::from_ne_bytes(after.bytes()));
    match before.version() {
        // The two changes cancel out in a checksum over the whole packet.
        Version::V4 => {
            ctx.l3_csum_replace(offset + IPV4_CHECKSUM, from.into(), to.into(), 2).is_ok()
                && ctx.store(offset, &to, 0).is_ok()
        }
        Version::V6 => ctx.store(offset, &to, BPF_F_RECOMPUTE_CSUM.into()).is_ok(),
    }
}

/// Sets the time, in nanoseconds of the monotonic clock, before which fq does not send the packet. A
/// later one that the socket has set stays.
#[inline(always)]
fn depart(ctx: &TcContext, at_ns: u64) {
    let skb: *mut __sk_buff = ctx.skb.skb;
    // SAFETY: the context is valid for the whole run and this field is open to classifiers.
    unsafe {
        if (*skb).tstamp < at_ns {
            (*skb).tstamp = at_ns;
        }
    }
}
