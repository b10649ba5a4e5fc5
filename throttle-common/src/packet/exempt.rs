//! Packets that no limit applies to.

use super::{Buffer, Bytes, IPV6_BYTES, Packet, Version, measure::layer_3_bytes};

/// Where an IPv6 header holds its hop limit.
const HOP_LIMIT_OFFSET: usize = 7;
/// The hop limit of a packet that no router has forwarded.
const NEVER_FORWARDED: u8 = 255;

const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Room for a solicitation or an advertisement (64 bytes) with a link-layer address and a nonce.
const NEIGHBOUR_DISCOVERY_MAX_BYTES: u32 = 128;

impl Packet {
    /// Whether the packet passes without a limit: it goes to many, never leaves its link, or keeps
    /// a neighbour entry alive. `buffer` is the one that [`super::measure`] takes; called before
    /// that, it spares the verifier most of its work.
    ///
    /// Neighbours confirm each other's link-layer address in unicast, also between global addresses
    /// (RFC 4861, section 7.3). A host over its limit would lose that exchange, its neighbour entry
    /// with it, and then all packets.
    ///
    /// A host can forge such a packet and fill it with data, so the test is narrow: a short packet
    /// that no router has forwarded, between two addresses of one /64. A router does not forward
    /// between those, so this is no way past a limit to beyond the link. A solicitation from an
    /// address of another prefix is charged as any packet.
    #[inline(always)]
    #[must_use]
    pub fn is_exempt(&self, frame: &(impl Bytes + ?Sized), buffer: Buffer) -> bool {
        match self.version {
            Version::V4 => {
                self.destination.is_ipv4_multicast()
                    || self.destination.is_ipv4_link_local()
                    || self.source.is_ipv4_link_local()
            }
            Version::V6 => {
                self.destination.is_multicast()
                    || self.destination.is_link_local()
                    || self.source.is_link_local()
                    || (self.icmpv6 && self.is_neighbour_discovery(frame, buffer))
            }
        }
    }

    #[inline(always)]
    fn is_neighbour_discovery(&self, frame: &(impl Bytes + ?Sized), buffer: Buffer) -> bool {
        let bytes = layer_3_bytes(self, buffer);
        // The prefix of all zeros holds the IPv4-mapped addresses, which have no neighbours.
        let (prefix, _) = self.source.words();
        if bytes > NEIGHBOUR_DISCOVERY_MAX_BYTES
            || buffer.segment_bytes != 0
            || prefix == 0
            || prefix != self.destination.words().0
        {
            return false;
        }
        let Some([hop_limit]) = frame.read::<1>(self.network_offset + HOP_LIMIT_OFFSET) else {
            return false;
        };
        let Some([kind, code]) = frame.read::<2>(self.network_offset + IPV6_BYTES) else {
            return false;
        };
        hop_limit == NEVER_FORWARDED
            && code == 0
            && (kind == NEIGHBOUR_SOLICITATION || kind == NEIGHBOUR_ADVERTISEMENT)
    }
}
