//! Finds the addresses of a packet and its size on the wire.
//!
//! Formats: Ethernet II, up to two VLAN tags (IEEE 802.1Q, 802.1ad), IPv4 (RFC 791), IPv6
//! (RFC 8200), TCP (RFC 9293), UDP (RFC 768).

use crate::address::Address;

/// A packet's bytes from the start of its link header.
pub trait Bytes {
    /// The `N` bytes at `offset`, or `None` when the packet is shorter.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;
}

impl Bytes for [u8] {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }
}

/// Length of an Ethernet header without tags, in bytes.
pub const ETHERNET_BYTES: usize = 14;
/// Length of an IPv4 header without options, in bytes.
pub const IPV4_BYTES: usize = 20;
/// Length of an IPv6 header, in bytes.
pub const IPV6_BYTES: usize = 40;

/// The longest run of bytes that [`parse`] looks at: two tags and an IPv6 header.
pub const HEADERS_BYTES: u32 = (ETHERNET_BYTES + 2 * TAG_BYTES + IPV6_BYTES) as u32;

const TAG_BYTES: usize = 4;
const ETHERTYPE_OFFSET: usize = 12;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ETHERTYPE_VLAN: [u8; 2] = [0x81, 0x00];
const ETHERTYPE_QINQ: [u8; 2] = [0x88, 0xa8];

/// Payload of the shortest Ethernet frame; what a shorter packet is padded to.
const ETHERNET_MIN_PAYLOAD_BYTES: u32 = 46;

const TCP: u8 = 6;
const UDP: u8 = 17;
const UDP_BYTES: u32 = 8;

/// The version of an IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// The part of a packet that decides which host it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Version of the IP header.
    pub version: Version,
    /// Where the IP header begins, in bytes from the start of the link header.
    pub network_offset: usize,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
}

/// Why a packet has no addresses to go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAddresses {
    /// It is neither IPv4 nor IPv6.
    NotIp,
    /// It announces IP and is too short for the addresses, or its header is of another version.
    Malformed,
}

/// Finds the addresses of an Ethernet frame.
///
/// Only what the addresses need is required: a header that is wrong elsewhere does not hide them.
///
/// # Errors
///
/// The frame has no addresses; see [`NoAddresses`].
#[inline(always)]
pub fn parse(frame: &(impl Bytes + ?Sized)) -> Result<Packet, NoAddresses> {
    let mut offset = ETHERNET_BYTES;
    let mut ethertype = frame.read::<2>(ETHERTYPE_OFFSET).ok_or(NoAddresses::Malformed)?;
    for _ in 0..2 {
        if ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ {
            ethertype = frame.read::<2>(offset + 2).ok_or(NoAddresses::Malformed)?;
            offset += TAG_BYTES;
        }
    }
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(frame, offset),
        ETHERTYPE_IPV6 => ipv6(frame, offset),
        _ => Err(NoAddresses::NotIp),
    }
}

#[inline(always)]
fn ipv4(frame: &(impl Bytes + ?Sized), offset: usize) -> Result<Packet, NoAddresses> {
    let header = frame.read::<IPV4_BYTES>(offset).ok_or(NoAddresses::Malformed)?;
    if header[0] >> 4 != 4 {
        return Err(NoAddresses::Malformed);
    }
    Ok(Packet {
        version: Version::V4,
        network_offset: offset,
        source: Address::from_ipv4([header[12], header[13], header[14], header[15]]),
        destination: Address::from_ipv4([header[16], header[17], header[18], header[19]]),
    })
}

#[inline(always)]
fn ipv6(frame: &(impl Bytes + ?Sized), offset: usize) -> Result<Packet, NoAddresses> {
    let [first, ..] = frame.read::<IPV6_BYTES>(offset).ok_or(NoAddresses::Malformed)?;
    if first >> 4 != 6 {
        return Err(NoAddresses::Malformed);
    }
    let address = |at: usize| -> Option<Address> {
        Some(Address::from_ipv6(frame.read::<8>(offset + at)?, frame.read::<8>(offset + at + 8)?))
    };
    Ok(Packet {
        version: Version::V6,
        network_offset: offset,
        source: address(8).ok_or(NoAddresses::Malformed)?,
        destination: address(24).ok_or(NoAddresses::Malformed)?,
    })
}

impl Packet {
    /// Whether the packet passes without a limit: it goes to many, or never leaves its link.
    #[inline(always)]
    #[must_use]
    pub const fn is_exempt(&self) -> bool {
        self.destination.is_multicast()
            || self.destination.is_link_local()
            || self.source.is_link_local()
    }
}

/// The kernel's measures of one packet buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Length with the link header, in bytes.
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
}

/// Measures a packet as on the wire: a buffer that holds many segments counts as those.
#[inline(always)]
pub fn measure(frame: &(impl Bytes + ?Sized), packet: &Packet, buffer: Buffer) -> Wire {
    let bytes = buffer.len_bytes.saturating_sub(packet.network_offset as u32);
    if buffer.segment_bytes != 0 {
        return measure_segments(frame, packet, buffer, bytes);
    }
    if bytes <= ETHERNET_MIN_PAYLOAD_BYTES {
        return Wire { bytes: without_padding(frame, packet, bytes), packets: 1 };
    }
    Wire { bytes, packets: 1 }
}

/// Cuts the padding of a minimum-length frame off.
///
/// The length in the IP header is trusted within such a frame only: a longer one could lie its way
/// past a limit on a bridge, which forwards it whole.
fn without_padding(frame: &(impl Bytes + ?Sized), packet: &Packet, bytes: u32) -> u32 {
    let (at, header) = match packet.version {
        Version::V4 => (2, 0),
        Version::V6 => (4, IPV6_BYTES as u32),
    };
    let length = frame.read::<2>(packet.network_offset + at);
    let announced = length.map_or(bytes, |length| header + u32::from(u16::from_be_bytes(length)));
    let least = match packet.version {
        Version::V4 => IPV4_BYTES as u32,
        Version::V6 => IPV6_BYTES as u32,
    };
    announced.clamp(least.min(bytes), bytes)
}

#[inline(always)]
fn measure_segments(
    frame: &(impl Bytes + ?Sized),
    packet: &Packet,
    buffer: Buffer,
    bytes: u32,
) -> Wire {
    let headers = headers_bytes(frame, packet);
    let packets = match buffer.segments {
        0 => bytes.saturating_sub(headers).div_ceil(buffer.segment_bytes).max(1),
        counted => counted,
    };
    Wire { bytes: bytes.saturating_add((packets - 1).saturating_mul(headers)), packets }
}

/// Length of the headers that every segment repeats: IP with TCP or UDP.
#[inline(always)]
fn headers_bytes(frame: &(impl Bytes + ?Sized), packet: &Packet) -> u32 {
    let start = packet.network_offset;
    let (network, protocol) = match packet.version {
        Version::V4 => {
            let words = frame.read::<1>(start).map_or(5, |[first]| u32::from(first & 0xf));
            (words * 4, frame.read::<1>(start + 9))
        }
        Version::V6 => (IPV6_BYTES as u32, frame.read::<1>(start + 6)),
    };
    let transport = match protocol {
        Some([TCP]) => {
            let offset = frame.read::<1>(start + network as usize + 12);
            offset.map_or(20, |[first]| u32::from(first >> 4) * 4)
        }
        Some([UDP]) => UDP_BYTES,
        _ => 0,
    };
    network + transport
}

#[cfg(test)]
mod tests;
