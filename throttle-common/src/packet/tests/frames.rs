//! Valid frames of every kind against a reference that cuts them up packet by packet.

use proptest::{prelude::*, sample::select};

use super::*;

/// A valid frame, layer by layer.
#[derive(Debug, Clone)]
struct Frame {
    /// Tags and PPPoE of an Ethernet header, or none without a link header.
    link: Option<(Vec<[u8; 4]>, Option<bool>)>,
    network: Network,
    transport: Transport,
    payload_bytes: u32,
    /// Payload of each segment of a merged packet.
    segment_bytes: Option<u32>,
    counted: bool,
}

#[derive(Debug, Clone)]
enum Network {
    V4 {
        options_words: u8,
    },
    /// Extension headers by number and the units of length that each has beyond the least.
    V6 {
        extensions: Vec<(u8, u8)>,
        jumbo: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum Transport {
    Tcp { options_words: u8 },
    Udp,
}

/// The headers that every packet has on the wire.
fn packet_headers(frame: &Frame, jumbo: bool) -> Vec<u8> {
    let (protocol, transport) = match frame.transport {
        Transport::Tcp { options_words } => {
            let mut header = vec![0xaa; 20 + 4 * usize::from(options_words)];
            header[12] = (5 + options_words) << 4 | 0xf;
            (TCP, header)
        }
        Transport::Udp => (UDP, vec![0xaa; 8]),
    };
    let single_bytes = |headers: usize| match frame.segment_bytes {
        None => (headers + frame.payload_bytes as usize) as u16,
        Some(_) => 0,
    };
    match &frame.network {
        Network::V4 { options_words } => {
            let options = vec![1; 4 * usize::from(*options_words)];
            let bytes = 20 + options.len() + transport.len();
            let mut header = ipv4_header(single_bytes(bytes), protocol);
            header[0] += options_words;
            [header, options, transport].concat()
        }
        Network::V6 { extensions, jumbo: _ } => {
            let mut next = protocol;
            let mut rest = transport;
            for &(number, more) in extensions.iter().rev() {
                let (field, bytes) = match number {
                    44 => (0, 8),
                    _ => (more, 8 + 8 * usize::from(more)),
                };
                let mut extension = vec![0xbb; bytes];
                extension[0] = next;
                extension[1] = field;
                rest = [extension, rest].concat();
                next = number;
            }
            if jumbo {
                rest = [vec![next, 0, 0xc2, 4, 0, 2, 0, 0], rest].concat();
                next = 0;
            }
            [ipv6_header(single_bytes(rest.len()), next), rest].concat()
        }
    }
}

impl Frame {
    fn is_jumbo(&self) -> bool {
        matches!(self.network, Network::V6 { jumbo: true, .. })
    }

    fn link_header(&self) -> LinkHeader {
        if self.link.is_some() { LinkHeader::Ethernet } else { LinkHeader::None }
    }

    /// The frame as the kernel holds it, and the offset of its IP header.
    fn bytes(&self) -> (Vec<u8>, usize) {
        let v4 = matches!(self.network, Network::V4 { .. });
        let headers = packet_headers(self, self.is_jumbo());
        let packet = padded(&headers, headers.len() + self.payload_bytes as usize);
        let Some((tags, ppp)) = &self.link else {
            return (packet, 0);
        };
        let (ethertype, payload) = match ppp {
            None => (if v4 { IPV4 } else { IPV6 }, packet),
            Some(compressed) => {
                let protocol = [0, if v4 { 0x21 } else { 0x57 }];
                (PPPOE, pppoe(&protocol[usize::from(*compressed)..], &packet))
            }
        };
        let pppoe_bytes = ppp.map_or(0, |compressed| 8 - usize::from(compressed));
        let offset = 14 + 4 * tags.len();
        let least = if self.segment_bytes.is_some() { 0 } else { 46 };
        let padded_bytes = payload.len().max(least);
        (ethernet(tags, ethertype, &padded(&payload, padded_bytes)), offset + pppoe_bytes)
    }

    /// Lengths of the packets on the wire.
    fn packets(&self) -> Vec<u32> {
        let headers = packet_headers(self, false).len() as u32;
        let mut left = self.payload_bytes;
        let mut packets = Vec::new();
        while left > 0 || packets.is_empty() {
            let payload = self.segment_bytes.map_or(left, |most| left.min(most));
            packets.push(headers + payload);
            left -= payload;
        }
        packets
    }

    fn buffer(&self) -> Buffer {
        Buffer {
            len_bytes: self.bytes().0.len() as u32,
            segment_bytes: self.segment_bytes.unwrap_or(0),
            segments: match (self.segment_bytes, self.counted) {
                (Some(_), true) => self.packets().len() as u32,
                _ => 0,
            },
        }
    }
}

fn link() -> impl Strategy<Value = Option<(Vec<[u8; 4]>, Option<bool>)>> {
    let tag = select(vec![[0x81, 0, 0x20, 5], [0x88, 0xa8, 0, 9]]);
    prop::option::weighted(0.8, (prop::collection::vec(tag, 0..=2), any::<Option<bool>>()))
}

fn network() -> impl Strategy<Value = Network> {
    let extension = (select(vec![0, 43, 44, 60]), prop_oneof![0_u8..3, Just(254)]);
    prop_oneof![
        (0_u8..=10).prop_map(|options_words| Network::V4 { options_words }),
        prop::collection::vec(extension, 0..=4)
            .prop_map(|extensions| Network::V6 { extensions, jumbo: false }),
        Just(Network::V6 { extensions: vec![], jumbo: true }),
    ]
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        (0_u8..=10).prop_map(|options_words| Transport::Tcp { options_words }),
        Just(Transport::Udp),
    ]
}

prop_compose! {
    fn frames()(
        link in link(),
        network in network(),
        transport in transport(),
        payload_bytes in prop_oneof![0_u32..100, 0_u32..9000, 60_000_u32..200_000],
        segment_bytes in prop::option::of(prop_oneof![1_u32..100, 100_u32..9000]),
        counted in any::<bool>(),
    ) -> Frame {
        let mut frame = Frame { link, network, transport, payload_bytes, segment_bytes, counted };
        let merged = frame.segment_bytes.is_some();
        if !merged {
            // The IP header says how long one packet is.
            frame.payload_bytes %= 50_000;
        } else {
            // A merged packet has a payload.
            frame.payload_bytes = frame.payload_bytes.max(1);
        }
        // Linux writes the jumbo option only before TCP, on a merged packet above 64 KiB.
        if let Network::V6 { jumbo, .. } = &mut frame.network {
            *jumbo &= merged
                && matches!(frame.transport, Transport::Tcp { .. })
                && frame.payload_bytes > 65_535;
        }
        frame
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_frame_measures_as_the_sum_of_its_packets(
        frame in frames(),
        unit_bytes in prop_oneof![1_u32..3000, any::<u32>().prop_map(|unit| unit.max(1))],
        overhead_bytes in 0_u32..100,
    ) {
        let (bytes, offset) = frame.bytes();
        let packets = frame.packets();
        let packet = packet::parse(&bytes[..], frame.link_header()).unwrap();
        prop_assert_eq!(packet.network_offset, offset);
        for overhead_bytes in [0, overhead_bytes] {
            let wire = packet::measure(&bytes[..], &packet, frame.buffer())
                .with_overhead(overhead_bytes);
            let lens = || packets.iter().map(|len| len + overhead_bytes);
            prop_assert_eq!(wire.bytes, lens().sum::<u32>());
            prop_assert_eq!(wire.packets, packets.len() as u32);
            prop_assert_eq!(wire.segment_bytes, packets[0] + overhead_bytes);
            prop_assert_eq!(wire.units(unit_bytes), lens().map(|len| len.div_ceil(unit_bytes)).sum());
        }
    }

    #[test]
    fn a_frame_cut_anywhere_has_its_addresses_or_is_too_short_for_them(
        frame in frames(),
        at in any::<prop::sample::Index>(),
    ) {
        let (whole, offset) = frame.bytes();
        let cut = &whole[..at.index(whole.len().min(200))];
        let (header, source, destination) = match frame.network {
            Network::V4 { .. } => {
                (20, Address::from_ipv4(SOURCE), Address::from_ipv4(DESTINATION))
            }
            Network::V6 { .. } => {
                (40, Address::from_octets([0xfd; 16]), Address::from_octets([0x20; 16]))
            }
        };
        match packet::parse(cut, frame.link_header()) {
            Ok(packet) => {
                prop_assert!(cut.len() >= offset + header);
                prop_assert_eq!((packet.source, packet.destination), (source, destination));
                let _ = packet.is_exempt(cut, frame.buffer());
                let wire = packet::measure(cut, &packet, frame.buffer());
                prop_assert!(wire.packets >= 1);
            }
            Err(cause) => {
                prop_assert!(cut.len() < offset + header);
                prop_assert_eq!(cause, NoAddresses::Malformed);
            }
        }
    }

    #[test]
    fn no_header_is_deeper_than_is_said(frame in frames()) {
        let (whole, _) = frame.bytes();
        let link = frame.link_header();
        let start = &whole[..whole.len().min(HEADERS_BYTES as usize)];
        let packet = packet::parse(start, link).unwrap();
        prop_assert_eq!(Ok(packet), packet::parse(&whole[..], link));
        let start = &whole[..whole.len().min(10_000)];
        let buffer = frame.buffer();
        prop_assert_eq!(
            packet::measure(start, &packet, buffer),
            packet::measure(&whole[..], &packet, buffer)
        );
    }
}
