//! The headers that every segment of a merged packet repeats.

use super::{Bytes, IPV4_BYTES, IPV6_BYTES, Packet, Version};

/// Extension headers that are followed.
const EXTENSIONS: usize = 4;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const TCP_BYTES: u32 = 20;
const UDP_BYTES: u32 = 8;
const SCTP_BYTES: u32 = 12;
const TCP_DATA_OFFSET: usize = 12;

const IPV4_PROTOCOL_OFFSET: usize = 9;
const IPV6_NEXT_HEADER_OFFSET: usize = 6;

/// Length of the hop-by-hop header in which Linux keeps the length of a merged packet above 64 KiB.
const JUMBO_BYTES: usize = 8;
/// How that header begins: TCP follows, no more than 8 bytes, jumbo payload option of 4 bytes.
const JUMBO: [u8; 4] = [TCP, 0, 0xc2, 4];
/// The longest packet without one (`GRO_LEGACY_MAX_SIZE` in Linux).
const WITHOUT_JUMBO_MAX_BYTES: u32 = 65_536;

/// Lengths of a merged packet's headers.
pub(super) struct Headers {
    /// IP and transport headers on each segment.
    pub(super) repeated_bytes: u32,
    /// Of the buffer, what is on no segment.
    pub(super) phantom_bytes: u32,
}

/// Finds the headers of a merged packet of `bytes` bytes.
#[inline(always)]
pub(super) fn of_segments(frame: &(impl Bytes + ?Sized), packet: &Packet, bytes: u32) -> Headers {
    let start = packet.network_offset;
    let (protocol, end, phantom) = match packet.version {
        Version::V4 => ipv4(frame, start),
        Version::V6 => ipv6(frame, start, bytes),
    };
    let network_bytes = (end - start - phantom) as u32;
    let repeated_bytes = network_bytes + transport_bytes(frame, protocol, end);
    Headers { repeated_bytes, phantom_bytes: phantom as u32 }
}

/// The transport protocol, where its header begins, and that nothing is left out on the wire.
#[inline(always)]
fn ipv4(frame: &(impl Bytes + ?Sized), start: usize) -> (Option<u8>, usize, usize) {
    match (frame.read::<2>(start), frame.read::<1>(start + IPV4_PROTOCOL_OFFSET)) {
        (Some([first, _]), Some([protocol])) => {
            (Some(protocol), start + usize::from(first & 0xf) * 4, 0)
        }
        _ => (None, start + IPV4_BYTES, 0),
    }
}

/// The protocol that ends the chain of extension headers, where it begins, and the length of a
/// jumbo payload header in between.
#[inline(always)]
fn ipv6(frame: &(impl Bytes + ?Sized), start: usize, bytes: u32) -> (Option<u8>, usize, usize) {
    let mut end = start + IPV6_BYTES;
    let Some([mut next]) = frame.read::<1>(start + IPV6_NEXT_HEADER_OFFSET) else {
        return (None, end, 0);
    };
    if next == HOP_BY_HOP && bytes > WITHOUT_JUMBO_MAX_BYTES && frame.read(end) == Some(JUMBO) {
        return (Some(TCP), end + JUMBO_BYTES, JUMBO_BYTES);
    }
    for _ in 0..EXTENSIONS {
        if !is_extension(next) {
            break;
        }
        let Some([following, length]) = frame.read::<2>(end) else {
            break;
        };
        end += (usize::from(length) + 1) * 8;
        next = following;
    }
    (Some(next), end, 0)
}

/// Whether a header of this number tells its length in units of 8 bytes. Of a fragment header that
/// byte is reserved and zero, which is its length. Linux merges nothing behind others, such as AH.
#[inline(always)]
const fn is_extension(number: u8) -> bool {
    matches!(number, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION)
}

#[inline(always)]
fn transport_bytes(frame: &(impl Bytes + ?Sized), protocol: Option<u8>, start: usize) -> u32 {
    match protocol {
        Some(TCP) => match frame.read::<1>(start + TCP_DATA_OFFSET) {
            Some([first]) => u32::from(first >> 4) * 4,
            None => TCP_BYTES,
        },
        Some(UDP) => UDP_BYTES,
        Some(SCTP) => SCTP_BYTES,
        _ => 0,
    }
}
