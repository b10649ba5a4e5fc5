//! What the action of a limit does to a header.

use throttle_common::{
    packet::{Packet, Version},
    traffic_class::ClassBytes,
    verdict::{Reason, Treatment, Verdict},
};

/// Offset of the checksum in an IPv4 header, in bytes.
const IPV4_CHECKSUM: usize = 10;

/// A packet that was treated.
pub(super) struct Treated {
    /// Why it passes, or is refused.
    pub(super) reason: Reason,
    pub(super) bytes: Vec<u8>,
    pub(super) mark: u32,
}

/// Treats a packet as a verdict says.
pub(super) fn treat(frame: &[u8], packet: Option<&Packet>, verdict: &Verdict) -> Treated {
    let Verdict { reason, treatment, value, untreated } = *verdict;
    let plain = |reason| Treated { reason, bytes: frame.to_vec(), mark: 0 };
    let Some(packet) = packet else { return plain(reason) };
    let class = class(frame, packet);
    let rewritten = |after| match rewrite(frame, packet, class, after) {
        Some(bytes) => Treated { bytes, ..plain(reason) },
        None => plain(untreated),
    };
    match treatment {
        Treatment::None => plain(reason),
        Treatment::Ce if class.is_ecn_capable() => rewritten(class.marked_ce()),
        Treatment::Ce => plain(untreated),
        Treatment::Dscp => rewritten(class.with_dscp(value as u8)),
        Treatment::Mark => Treated { mark: value as u32, ..plain(reason) },
        Treatment::Pace | Treatment::PaceCe => panic!("{treatment:?} where nothing paces"),
    }
}

fn class(frame: &[u8], packet: &Packet) -> ClassBytes {
    let at = packet.network_offset;
    ClassBytes::new(packet.version, [frame[at], frame[at + 1]])
}

/// Writes another traffic class, and the checksum of an IPv4 header. The kernel's helper does not write a
/// checksum at an odd offset, where a compressed PPP protocol field puts it.
fn rewrite(
    frame: &[u8],
    packet: &Packet,
    before: ClassBytes,
    after: ClassBytes,
) -> Option<Vec<u8>> {
    let (mut bytes, at) = (frame.to_vec(), packet.network_offset);
    bytes[at..at + 2].copy_from_slice(&after.bytes());
    if packet.version == Version::V4 {
        if !at.is_multiple_of(2) {
            return None;
        }
        let sum = &mut bytes[at + IPV4_CHECKSUM..at + IPV4_CHECKSUM + 2];
        let found = u16::from_be_bytes([sum[0], sum[1]]);
        let word = |class: ClassBytes| u16::from_be_bytes(class.bytes());
        sum.copy_from_slice(&replaced(found, word(before), word(after)).to_be_bytes());
    }
    Some(bytes)
}

/// The checksum when a word of what it covers is replaced (RFC 1624, equation 3).
fn replaced(checksum: u16, from: u16, to: u16) -> u16 {
    !add(add(!checksum, !from), to)
}

/// The sum of ones' complements.
fn add(one: u16, other: u16) -> u16 {
    let (sum, carry) = one.overflowing_add(other);
    sum + u16::from(carry)
}
