//! Finds the addresses of a packet and its size on the wire.
//!
//! Formats: Ethernet II, up to two VLAN tags (IEEE 802.1Q, 802.1ad), PPPoE sessions (RFC 2516), IPv4
//! (RFC 791), IPv6 and its extension headers (RFC 8200, RFC 2675 as Linux uses it), TCP
//! (RFC 9293), UDP (RFC 768), neighbour discovery (RFC 4861).

mod exempt;
mod headers;
mod measure;
mod parse;

pub use measure::{Buffer, Wire, measure, measure_merged, measure_single};
pub use parse::{
    HEADERS_BYTES, NoAddresses, Packet, Version, addresses_reach, parse, parse_untagged,
};

/// A packet's bytes from the start of its link header.
///
/// At an offset that may be 0 no single byte is read: the compiler turns the check `data + 1 > end`
/// into `data >= end`, from which the BPF verifier learns nothing.
pub trait Bytes {
    /// The `N` bytes at `offset`, or `None` when the packet is shorter.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;
}

impl Bytes for [u8] {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }
}

/// What the packets of a link begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkHeader {
    /// An Ethernet header.
    Ethernet = 0,
    /// No link header but the IP header at once: tun, wireguard, ppp, ipip, gre.
    None = 1,
}

/// Length of an Ethernet header without tags, in bytes.
pub const ETHERNET_BYTES: usize = 14;
/// Length of an IPv4 header without options, in bytes.
pub const IPV4_BYTES: usize = 20;
/// Length of an IPv6 header without extension headers, in bytes.
pub const IPV6_BYTES: usize = 40;

const TAG_BYTES: usize = 4;
/// Length of a PPPoE header and the PPP protocol field behind it.
const PPPOE_BYTES: usize = 8;

/// Last byte of the PPP protocol field of IPv4 (0x0021), which is the field when that is compressed.
const PPP_IPV4: u8 = 0x21;
/// Last byte of the PPP protocol field of IPv6 (0x0057), which is the field when that is compressed.
const PPP_IPV6: u8 = 0x57;

#[cfg(test)]
mod tests;
