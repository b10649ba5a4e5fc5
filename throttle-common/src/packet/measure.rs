//! The size of a packet on the wire.

use core::num::NonZeroU32;

use super::{
    Bytes, IPV4_BYTES, IPV6_BYTES, PPP_IPV4, PPP_IPV6, PPPOE_BYTES, Packet, Version,
    headers::{self, Headers},
};

/// Payload of the shortest Ethernet frame; what a shorter packet is padded to.
const ETHERNET_MIN_PAYLOAD_BYTES: u32 = 46;
/// PPPoE before a packet, the PPP protocol field compressed.
const PPPOE_MIN_BYTES: u32 = PPPOE_BYTES as u32 - 1;

/// What Linux (`GSO_BY_FRAGS`) says instead of a size when each segment has one of its own: SCTP.
const SEGMENTS_OF_ANY_SIZE: u32 = 0xffff;

/// The kernel's measures of one packet buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Length with the link header, in bytes; no less than the length of what was parsed.
    pub len_bytes: u32,
    /// Payload of each segment that the buffer is cut into, in bytes; 0 when it is one packet.
    pub segment_bytes: u32,
    /// Number of segments, or 0 when nobody has counted them.
    pub segments: u32,
}

/// What a packet amounts to on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// Layer-3 bytes, every segment with headers of its own.
    pub bytes: u32,
    /// Packets, every segment being one.
    pub packets: u32,
    /// Layer-3 bytes of each packet but the last, which has the rest of `bytes`.
    pub segment_bytes: u32,
}

const PACKETS_SHIFT: u32 = 28;
const SEGMENT_SHIFT: u32 = 16;
const BYTES_MASK: u32 = (1 << PACKETS_SHIFT) - 1;
const PACKETS_MASK: u32 = (1 << SEGMENT_SHIFT) - 1;
const SEGMENT_MASK: u32 = (1 << (64 - PACKETS_SHIFT - SEGMENT_SHIFT)) - 1;

impl Wire {
    /// One packet.
    #[inline(always)]
    #[must_use]
    pub const fn single(bytes: u32) -> Self {
        Self { bytes, packets: 1, segment_bytes: bytes }
    }

    /// The packets as one word: what a function of the kernel can return. What is beyond any buffer of
    /// the kernel is cut.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        let Self { bytes, packets, segment_bytes } = self;
        let bytes = if bytes > BYTES_MASK { BYTES_MASK } else { bytes };
        let packets = if packets > PACKETS_MASK { PACKETS_MASK } else { packets };
        let segment = if segment_bytes > SEGMENT_MASK { SEGMENT_MASK } else { segment_bytes };
        bytes as u64
            | (packets as u64) << PACKETS_SHIFT
            | (segment as u64) << (PACKETS_SHIFT + SEGMENT_SHIFT)
    }

    /// The packets of a word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self {
            bytes: word as u32 & BYTES_MASK,
            packets: (word >> PACKETS_SHIFT) as u32 & PACKETS_MASK,
            segment_bytes: (word >> (PACKETS_SHIFT + SEGMENT_SHIFT)) as u32,
        }
    }

    /// The same packets, each longer by `overhead_bytes`.
    #[inline(always)]
    #[must_use]
    pub const fn with_overhead(self, overhead_bytes: u32) -> Self {
        if overhead_bytes == 0 {
            return self;
        }
        Self {
            bytes: self.bytes.saturating_add(self.packets.saturating_mul(overhead_bytes)),
            packets: self.packets,
            segment_bytes: self.segment_bytes.saturating_add(overhead_bytes),
        }
    }

    /// Units of `unit_bytes` that the packets fill, each packet at least one and the last unit of
    /// each counted as full. With a unit of 0 bytes every packet is one unit.
    #[inline(always)]
    #[must_use]
    pub const fn units(&self, unit_bytes: u32) -> u32 {
        match NonZeroU32::new(unit_bytes) {
            None => self.packets,
            Some(unit_bytes) => {
                let Self { bytes, packets, segment_bytes } = *self;
                units_of(bytes, packets, segment_bytes, unit_bytes)
            }
        }
    }
}

/// Takes numbers rather than the packet, which then need not lie in memory.
#[inline(never)]
const fn units_of(bytes: u32, packets: u32, segment_bytes: u32, unit_bytes: NonZeroU32) -> u32 {
    let full = packets.saturating_sub(1);
    let last_bytes = bytes.saturating_sub(full.saturating_mul(segment_bytes));
    let last = packet_units(last_bytes, unit_bytes);
    if full == 0 {
        return last;
    }
    full.saturating_mul(packet_units(segment_bytes, unit_bytes)).saturating_add(last)
}

#[inline(always)]
const fn packet_units(bytes: u32, unit_bytes: NonZeroU32) -> u32 {
    let units = bytes.div_ceil(unit_bytes.get());
    if units == 0 { 1 } else { units }
}

/// Measures a packet as on the wire: a buffer that holds many segments counts as those.
#[inline(always)]
pub fn measure(frame: &(impl Bytes + ?Sized), packet: &Packet, buffer: Buffer) -> Wire {
    if buffer.segment_bytes == 0 {
        measure_single(frame, packet, buffer)
    } else {
        measure_merged(frame, packet, buffer)
    }
}

/// Measures a buffer that is one packet, without the padding of a short one.
#[inline(always)]
pub fn measure_single(frame: &(impl Bytes + ?Sized), packet: &Packet, buffer: Buffer) -> Wire {
    let bytes = layer_3_bytes(packet, buffer);
    if bytes <= ETHERNET_MIN_PAYLOAD_BYTES {
        return Wire::single(without_padding(frame, packet, bytes));
    }
    Wire::single(bytes)
}

/// Measures a buffer of segments.
///
/// Exact for TCP, UDP and SCTP in IPv4 or in IPv6 with up to four extension headers. Of what else may
/// come merged (tunnels, longer chains of extension headers) the headers that are not understood
/// count once, or once per segment as far as the number of segments tells of them. Linux merges no
/// fragments; one that says it is merged is taken for a whole packet.
#[inline(always)]
pub fn measure_merged(frame: &(impl Bytes + ?Sized), packet: &Packet, buffer: Buffer) -> Wire {
    let bytes = layer_3_bytes(packet, buffer);
    match NonZeroU32::new(buffer.segment_bytes) {
        Some(payload) => measure_segments(frame, packet, bytes, buffer.segments, payload),
        None => Wire::single(bytes),
    }
}

/// Length of a buffer from its IP header on. A parsed packet reaches beyond that header's start, so
/// nothing needs to check the difference.
#[inline(always)]
pub(super) const fn layer_3_bytes(packet: &Packet, buffer: Buffer) -> u32 {
    buffer.len_bytes.wrapping_sub(packet.network_offset as u32)
}

/// Cuts the padding of a minimum-length frame off.
///
/// The length in the IP header is trusted within such a frame only: a longer one could lie its way
/// past a limit on a bridge, which forwards it whole.
#[inline(always)]
fn without_padding(frame: &(impl Bytes + ?Sized), packet: &Packet, bytes: u32) -> u32 {
    if bytes > longest_padded(frame, packet) {
        return bytes;
    }
    let (at, header, least) = match packet.version {
        Version::V4 => (2, 0, IPV4_BYTES as u32),
        Version::V6 => (4, IPV6_BYTES as u32, IPV6_BYTES as u32),
    };
    let length = frame.read::<2>(packet.network_offset + at);
    let announced = length.map_or(bytes, |length| header + u32::from(u16::from_be_bytes(length)));
    announced.clamp(least.min(bytes), bytes)
}

/// Length of the longest packet that may hold padding. The byte before the IP header ends either an
/// ethertype or a PPP protocol field, and no two of those end alike.
#[inline(always)]
fn longest_padded(frame: &(impl Bytes + ?Sized), packet: &Packet) -> u32 {
    let before = packet.network_offset.checked_sub(1).and_then(|at| frame.read::<1>(at));
    match before {
        None => 0,
        Some([PPP_IPV4 | PPP_IPV6]) => ETHERNET_MIN_PAYLOAD_BYTES - PPPOE_MIN_BYTES,
        Some(_) => ETHERNET_MIN_PAYLOAD_BYTES,
    }
}

#[inline(always)]
fn measure_segments(
    frame: &(impl Bytes + ?Sized),
    packet: &Packet,
    bytes: u32,
    segments: u32,
    segment_payload_bytes: NonZeroU32,
) -> Wire {
    let Headers { repeated_bytes, phantom_bytes } = headers::of_segments(frame, packet, bytes);
    let bytes = bytes.saturating_sub(phantom_bytes);
    let (packets, headers_bytes) = match segments {
        0 => {
            let payload_bytes = bytes.saturating_sub(repeated_bytes);
            (payload_bytes.div_ceil(segment_payload_bytes.get()).max(1), repeated_bytes)
        }
        // What the segments' payload has no room for is headers, whether understood or not.
        counted => {
            let most_payload_bytes = counted.saturating_mul(segment_payload_bytes.get());
            (counted, repeated_bytes.max(bytes.saturating_sub(most_payload_bytes)))
        }
    };
    if packets == 1 {
        return Wire::single(bytes);
    }
    let bytes = bytes.saturating_add((packets - 1).saturating_mul(headers_bytes));
    let segment_bytes = match segment_payload_bytes.get() {
        SEGMENTS_OF_ANY_SIZE => bytes / packets,
        payload_bytes => payload_bytes.saturating_add(headers_bytes),
    };
    Wire { bytes, packets, segment_bytes }
}
