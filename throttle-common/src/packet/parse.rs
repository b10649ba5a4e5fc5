//! The way through the link header to the addresses.

use core::hint::cold_path;

use super::{
    Bytes, ETHERNET_BYTES, IPV4_BYTES, IPV6_BYTES, LinkHeader, PPP_IPV4, PPP_IPV6, PPPOE_BYTES,
    TAG_BYTES,
};
use crate::address::Address;

/// The longest run of bytes that decides about one packet: two tags, PPPoE, an IPv6 header, and the
/// type and code of an ICMPv6 message.
pub const HEADERS_BYTES: u32 =
    (ETHERNET_BYTES + 2 * TAG_BYTES + PPPOE_BYTES + IPV6_BYTES + 2) as u32;

const ETHERTYPE_OFFSET: usize = 12;
// Ethertypes as a packet holds them, in network order in memory.
const ETHERTYPE_IPV4: u16 = u16::from_ne_bytes([0x08, 0x00]);
const ETHERTYPE_IPV6: u16 = u16::from_ne_bytes([0x86, 0xdd]);
const ETHERTYPE_VLAN: u16 = u16::from_ne_bytes([0x81, 0x00]);
const ETHERTYPE_QINQ: u16 = u16::from_ne_bytes([0x88, 0xa8]);
const ETHERTYPE_PPPOE_SESSION: u16 = u16::from_ne_bytes([0x88, 0x64]);

/// Length of the PPPoE header before the PPP protocol field.
const PPPOE_SESSION_BYTES: usize = 6;

const ICMPV6: u8 = 58;

/// The version of an IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Version {
    /// IPv4
    V4 = 0,
    /// IPv6
    V6 = 1,
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
    /// Whether ICMPv6 follows the IPv6 header at once.
    pub icmpv6: bool,
}

/// Why a packet has no addresses to go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAddresses {
    /// It is neither IPv4 nor IPv6.
    NotIp,
    /// It announces IP and is too short for the addresses, or its header is of another version.
    Malformed,
}

/// Finds the addresses of a packet.
///
/// Only what the addresses need is required: a header that is wrong elsewhere does not hide them.
/// Every fragment has them, since they precede what is fragmented.
///
/// # Errors
///
/// The packet has no addresses; see [`NoAddresses`].
#[inline(always)]
pub fn parse(frame: &(impl Bytes + ?Sized), link: LinkHeader) -> Result<Packet, NoAddresses> {
    match link {
        LinkHeader::Ethernet => ethernet(frame),
        LinkHeader::None => bare(frame),
    }
}

/// How far into a packet its addresses reach, in bytes, as far as the first bytes of `frame` tell
/// simply; [`HEADERS_BYTES`] where they do not.
#[inline(always)]
pub fn addresses_reach(frame: &(impl Bytes + ?Sized), link: LinkHeader) -> usize {
    if link == LinkHeader::None {
        return IPV6_BYTES;
    }
    match frame.read(ETHERTYPE_OFFSET).map(u16::from_ne_bytes) {
        Some(ETHERTYPE_IPV4) => ETHERNET_BYTES + IPV4_BYTES,
        Some(ETHERTYPE_IPV6) => ETHERNET_BYTES + IPV6_BYTES,
        _ => HEADERS_BYTES as usize,
    }
}

#[inline(always)]
fn ethernet(frame: &(impl Bytes + ?Sized)) -> Result<Packet, NoAddresses> {
    match parse_untagged(frame) {
        Some(packet) => Ok(packet),
        None => {
            cold_path();
            wrapped(frame)
        }
    }
}

/// Finds the addresses of an Ethernet frame whose IP header comes first, as most have it. `None` for
/// any other; [`parse`] tells about those.
///
/// One read, hence one bounds check, covers an IPv4 packet.
#[inline(always)]
pub fn parse_untagged(frame: &(impl Bytes + ?Sized)) -> Option<Packet> {
    let [high, low, header @ ..] = frame.read::<{ 2 + IPV4_BYTES }>(ETHERTYPE_OFFSET)?;
    match u16::from_ne_bytes([high, low]) {
        ETHERTYPE_IPV4 => ipv4(header, ETHERNET_BYTES).ok(),
        ETHERTYPE_IPV6 => ipv6(frame, ETHERNET_BYTES).ok(),
        _ => None,
    }
}

/// Finds the addresses behind tags and PPPoE, or says what a short frame lacks.
#[inline(always)]
fn wrapped(frame: &(impl Bytes + ?Sized)) -> Result<Packet, NoAddresses> {
    let mut offset = ETHERNET_BYTES;
    let mut ethertype = ethertype_at(frame, ETHERTYPE_OFFSET)?;
    for _ in 0..2 {
        if ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ {
            ethertype = ethertype_at(frame, offset + 2)?;
            offset += TAG_BYTES;
        }
    }
    let version = match ethertype {
        ETHERTYPE_IPV4 => Version::V4,
        ETHERTYPE_IPV6 => Version::V6,
        ETHERTYPE_PPPOE_SESSION => {
            let protocol = frame.read::<2>(offset + PPPOE_SESSION_BYTES);
            let (version, bytes) = ppp(protocol.ok_or(NoAddresses::Malformed)?)?;
            offset += bytes;
            version
        }
        _ => return Err(NoAddresses::NotIp),
    };
    ip(frame, version, offset)
}

#[inline(always)]
fn ethertype_at(frame: &(impl Bytes + ?Sized), offset: usize) -> Result<u16, NoAddresses> {
    frame.read(offset).map(u16::from_ne_bytes).ok_or(NoAddresses::Malformed)
}

/// The version that a PPP protocol field stands for, and the length of all PPPoE before the packet.
///
/// Linux receives compressed protocol fields even where none were agreed on, so they are no way past
/// a limit either.
#[inline(always)]
fn ppp(protocol: [u8; 2]) -> Result<(Version, usize), NoAddresses> {
    match protocol {
        [0, PPP_IPV4] => Ok((Version::V4, PPPOE_BYTES)),
        [0, PPP_IPV6] => Ok((Version::V6, PPPOE_BYTES)),
        [PPP_IPV4, _] => Ok((Version::V4, PPPOE_BYTES - 1)),
        [PPP_IPV6, _] => Ok((Version::V6, PPPOE_BYTES - 1)),
        _ => Err(NoAddresses::NotIp),
    }
}

/// Finds the addresses of a packet without a link header. No IP packet is shorter than an IPv4 header.
#[inline(always)]
fn bare(frame: &(impl Bytes + ?Sized)) -> Result<Packet, NoAddresses> {
    let header = frame.read::<IPV4_BYTES>(0).ok_or(NoAddresses::Malformed)?;
    match header[0] >> 4 {
        4 => ipv4(header, 0),
        6 => ipv6(frame, 0),
        _ => Err(NoAddresses::NotIp),
    }
}

#[inline(always)]
fn ip(
    frame: &(impl Bytes + ?Sized),
    version: Version,
    offset: usize,
) -> Result<Packet, NoAddresses> {
    match version {
        Version::V4 => ipv4(frame.read(offset).ok_or(NoAddresses::Malformed)?, offset),
        Version::V6 => ipv6(frame, offset),
    }
}

#[inline(always)]
fn ipv4(header: [u8; IPV4_BYTES], offset: usize) -> Result<Packet, NoAddresses> {
    if header[0] >> 4 != 4 {
        return Err(NoAddresses::Malformed);
    }
    Ok(Packet {
        version: Version::V4,
        network_offset: offset,
        source: Address::from_ipv4([header[12], header[13], header[14], header[15]]),
        destination: Address::from_ipv4([header[16], header[17], header[18], header[19]]),
        icmpv6: false,
    })
}

#[inline(always)]
fn ipv6(frame: &(impl Bytes + ?Sized), offset: usize) -> Result<Packet, NoAddresses> {
    let header = frame.read::<IPV6_BYTES>(offset).ok_or(NoAddresses::Malformed)?;
    if header[0] >> 4 != 6 {
        return Err(NoAddresses::Malformed);
    }
    Ok(Packet {
        version: Version::V6,
        network_offset: offset,
        source: address(&header, 8),
        destination: address(&header, 24),
        icmpv6: header[6] == ICMPV6,
    })
}

#[inline(always)]
fn address(header: &[u8; IPV6_BYTES], at: usize) -> Address {
    Address::from_ipv6(half(header, at), half(header, at + 8))
}

#[inline(always)]
fn half(h: &[u8; IPV6_BYTES], at: usize) -> [u8; 8] {
    [h[at], h[at + 1], h[at + 2], h[at + 3], h[at + 4], h[at + 5], h[at + 6], h[at + 7]]
}
