//! What is read of a packet, once.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use throttle_common::{
    abi::{Config, Direction, Link},
    address::Address,
    packet::{self, LinkHeader, Packet, Version, Wire},
    verdict::Reason,
};

use crate::{
    skb::{self, Anywhere, Frame},
    tables::config,
};

/// What the functions of the program tell each other of a packet.
///
/// They are global functions, of which the verifier goes through each by itself, for any numbers in
/// here; else it would follow every form of headers through every bucket.
#[repr(C)]
pub(crate) struct Seen {
    host: [u64; 2],
    peer: [u64; 2],
    bytes: u32,
    packets: u32,
    segment_bytes: u32,
    network_offset: u32,
    is_ipv6: u32,
    direction: u32,
}

impl Seen {
    /// The address that is limited.
    #[inline(always)]
    pub(crate) fn host(&self) -> Address {
        let [high, low] = self.host;
        Address::from_words(high, low)
    }

    /// The other address.
    #[inline(always)]
    pub(crate) fn peer(&self) -> Address {
        let [high, low] = self.peer;
        Address::from_words(high, low)
    }

    /// The packet's size.
    #[inline(always)]
    pub(crate) fn wire(&self) -> Wire {
        let Self { bytes, packets, segment_bytes, .. } = *self;
        Wire { bytes, packets, segment_bytes }
    }

    /// Offset of the IP header, in bytes.
    #[inline(always)]
    pub(crate) fn network_offset(&self) -> usize {
        self.network_offset as usize
    }

    /// Version of the IP header.
    #[inline(always)]
    pub(crate) fn version(&self) -> Version {
        if self.is_ipv6 == 0 { Version::V4 } else { Version::V6 }
    }

    /// Which way the packet goes.
    #[inline(always)]
    pub(crate) fn direction(&self) -> Direction {
        Direction::from_parity(self.direction)
    }

    /// The packet without the verifier's knowledge of how its numbers came about.
    #[inline(always)]
    fn of(config: &Config, direction: Direction, packet: &Packet, wire: Wire) -> Self {
        let (host, peer) = match direction {
            Direction::Up => (packet.source, packet.destination),
            Direction::Down => (packet.destination, packet.source),
        };
        let words = |address: Address| {
            let (high, low) = address.words();
            [config.forget(high), config.forget(low)]
        };
        let Wire { bytes, packets, segment_bytes } = wire;
        Self {
            host: words(host),
            peer: words(peer),
            bytes: config.forget(bytes.into()) as u32,
            packets: config.forget(packets.into()) as u32,
            segment_bytes: config.forget(segment_bytes.into()) as u32,
            network_offset: config.forget(packet.network_offset as u64) as u32,
            is_ipv6: config.forget(packet.version as u64) as u32,
            direction: direction as u32,
        }
    }

    /// Nothing but a direction, for [`throttle_read`] to fill in. Words are written one by one: the
    /// compiler would clear them by a call, and the verifier refuses to pass on what is not written.
    #[inline(always)]
    fn blank(seen: &mut MaybeUninit<Self>, direction: Direction) -> &mut Self {
        let words: *mut u64 = seen.as_mut_ptr().cast();
        // SAFETY: every word lies within `seen`, and any bytes are numbers.
        unsafe {
            for word in 0..size_of::<Self>() / size_of::<u64>() {
                words.add(word).write_volatile(0);
            }
            let seen = seen.assume_init_mut();
            seen.direction = direction as u32;
            seen
        }
    }
}

/// A packet and what is to be done about it.
pub(crate) struct Read<'a> {
    /// What was read of it.
    pub(crate) seen: &'a Seen,
    /// The reason for one that no limit is looked up for.
    pub(crate) verdict: Option<Reason>,
}

/// Reads the packet into `seen`.
///
/// Most packets are single ones behind a plain Ethernet header; the rest costs a call.
#[inline(always)]
pub(crate) fn read<'a>(
    ctx: &TcContext,
    config: &Config,
    (link, direction): (&Link, Direction),
    bank: u32,
    seen: &'a mut MaybeUninit<Seen>,
) -> Read<'a> {
    let buffer = skb::buffer(ctx);
    if buffer.segment_bytes == 0 && link.header() == LinkHeader::Ethernet {
        let frame = Frame::linear(ctx);
        if let Some(packet) = packet::parse_untagged(&frame) {
            let wire = packet::measure_single(&frame, &packet, buffer);
            let wire = wire.with_overhead(link.overhead(bank));
            let is_exempt = packet.is_exempt(&frame, buffer);
            return Read {
                seen: seen.write(Seen::of(config, direction, &packet, wire)),
                verdict: if is_exempt { Some(Reason::Exempt) } else { None },
            };
        }
    }
    let about_link = link.header() as u64 | u64::from(link.overhead(bank)) << 32;
    let seen = Seen::blank(seen, direction);
    let verdict = match throttle_read(ctx.skb.skb, seen, about_link) {
        GO_ON => None,
        reason => Some(Reason::from_number(reason)),
    };
    Read { seen, verdict }
}

/// No reason: a limit is to be looked up.
const GO_ON: u32 = u32::MAX;

/// [`read`] for any packet, as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_read(skb: *mut __sk_buff, seen: *mut Seen, link: u64) -> u32 {
    // SAFETY: the verifier sees to it that a pointer which is not null is valid.
    let (Some(seen), Some(config)) = (unsafe { seen.as_mut() }, config::get()) else {
        return Reason::Internal as u32;
    };
    let ctx = TcContext::new(skb);
    let overhead_bytes = (link >> 32) as u32;
    let header = if link & 1 == 0 { LinkHeader::Ethernet } else { LinkHeader::None };
    let buffer = skb::buffer(&ctx);
    let frame = Frame::of(&ctx, header);
    let packet = match packet::parse(&frame, header) {
        Ok(packet) => packet,
        Err(cause) => {
            (seen.bytes, seen.packets) = (buffer.len_bytes, 1);
            return Reason::from(cause) as u32;
        }
    };
    let wire = match buffer.segment_bytes {
        0 => packet::measure_single(&frame, &packet, buffer),
        _ => {
            let (offset, version) = (packet.network_offset as u64, packet.version as u64);
            Wire::from_word(throttle_measure(skb, offset, version))
        }
    };
    let wire = wire.with_overhead(overhead_bytes);
    *seen = Seen::of(config, seen.direction(), &packet, wire);
    if packet.is_exempt(&frame, buffer) { Reason::Exempt as u32 } else { GO_ON }
}

/// Measures a buffer of segments as on the wire, as [`Wire::to_word`] does.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_measure(skb: *mut __sk_buff, offset: u64, version: u64) -> u64 {
    let ctx = TcContext::new(skb);
    let nobody = Address::from_words(0, 0);
    let packet = Packet {
        version: if version == Version::V4 as u64 { Version::V4 } else { Version::V6 },
        network_offset: offset as usize,
        source: nobody,
        destination: nobody,
        icmpv6: false,
    };
    packet::measure_merged(&Anywhere(&ctx), &packet, skb::buffer(&ctx)).to_word()
}
