use std::{net::Ipv4Addr, vec, vec::Vec};

use proptest::prelude::*;

use super::*;

const SOURCE: [u8; 4] = [10, 0, 0, 1];
const DESTINATION: [u8; 4] = [192, 0, 2, 7];

fn ethernet(tags: &[[u8; 4]], ethertype: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(tags.as_flattened());
    frame.extend(ethertype);
    frame.extend(payload);
    frame
}

fn ipv4_header(total: u16, protocol: u8) -> Vec<u8> {
    let [high, low] = total.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0];
    header.extend(SOURCE);
    header.extend(DESTINATION);
    header
}

fn ipv6_header(payload: u16, next: u8) -> Vec<u8> {
    let [high, low] = payload.to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, high, low, next, 64];
    header.extend([0xfd; 16]);
    header.extend([0x20; 16]);
    header
}

fn padded(frame: &[u8], len: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(len, 0);
    frame
}

fn wire(frame: &[u8], segment_bytes: u32, segments: u32) -> Wire {
    let packet = parse(frame).unwrap();
    measure(frame, &packet, Buffer { len_bytes: frame.len() as u32, segment_bytes, segments })
}

#[test]
fn addresses_are_found_behind_up_to_two_tags() {
    let c_tag = [0x81, 0, 0, 5];
    let s_tag = [0x88, 0xa8, 0, 9];
    for (tags, offset) in [(&[][..], 14), (&[c_tag][..], 18), (&[s_tag, c_tag][..], 22)] {
        let packet = parse(&ethernet(tags, ETHERTYPE_IPV4, &ipv4_header(20, 17))[..]).unwrap();
        assert_eq!(packet.network_offset, offset);
        assert_eq!(packet.source, Address::from_ipv4(SOURCE));
        assert_eq!(packet.destination, Address::from_ipv4(DESTINATION));
        let packet = parse(&ethernet(tags, ETHERTYPE_IPV6, &ipv6_header(0, 59))[..]).unwrap();
        assert_eq!(packet.source, Address::from_octets([0xfd; 16]));
        assert_eq!(packet.destination, Address::from_octets([0x20; 16]));
    }
}

#[test]
fn what_is_not_ip_is_told_from_what_is_malformed() {
    let arp = ethernet(&[], [0x08, 0x06], &[0; 28]);
    assert_eq!(parse(&arp[..]), Err(NoAddresses::NotIp));
    let three_tags = ethernet(&[[0x81, 0, 0, 1]; 3], ETHERTYPE_IPV4, &ipv4_header(20, 17));
    assert_eq!(parse(&three_tags[..]), Err(NoAddresses::NotIp));
    let whole = ethernet(&[], ETHERTYPE_IPV4, &ipv4_header(20, 17));
    for len in 0..whole.len() {
        assert_eq!(parse(&whole[..len]), Err(NoAddresses::Malformed), "{len} bytes");
    }
    let wrong_version = ethernet(&[], ETHERTYPE_IPV6, &ipv4_header(20, 17));
    assert_eq!(parse(&padded(&wrong_version, 100)[..]), Err(NoAddresses::Malformed));
}

#[test]
fn a_wrong_header_length_does_not_hide_the_addresses() {
    let mut header = ipv4_header(9, 6);
    header[0] = 0x40;
    let packet = parse(&ethernet(&[], ETHERTYPE_IPV4, &header)[..]).unwrap();
    assert_eq!(packet.source, Address::from_ipv4(SOURCE));
}

#[test]
fn one_packet_counts_its_layer_3_bytes() {
    let frame = padded(&ethernet(&[], ETHERTYPE_IPV4, &ipv4_header(1500, 17)), 1514);
    assert_eq!(wire(&frame, 0, 0), Wire { bytes: 1500, packets: 1 });
    let tagged = ethernet(&[[0x81, 0, 0, 5]], ETHERTYPE_IPV4, &ipv4_header(1500, 17));
    assert_eq!(wire(&padded(&tagged, 1518), 0, 0), Wire { bytes: 1500, packets: 1 });
}

#[test]
fn padding_of_a_short_frame_is_not_counted() {
    let frame = padded(&ethernet(&[], ETHERTYPE_IPV4, &ipv4_header(29, 17)), 60);
    assert_eq!(wire(&frame, 0, 0).bytes, 29);
    let frame = padded(&ethernet(&[], ETHERTYPE_IPV6, &ipv6_header(2, 59)), 60);
    assert_eq!(wire(&frame, 0, 0).bytes, 42);
}

#[test]
fn a_length_that_lies_gains_nothing() {
    let long = padded(&ethernet(&[], ETHERTYPE_IPV4, &ipv4_header(20, 17)), 1514);
    assert_eq!(wire(&long, 0, 0).bytes, 1500);
    let zero = padded(&ethernet(&[], ETHERTYPE_IPV4, &ipv4_header(0, 17)), 60);
    assert_eq!(wire(&zero, 0, 0).bytes, 20);
    let huge = padded(&ethernet(&[], ETHERTYPE_IPV4, &ipv4_header(60_000, 17)), 60);
    assert_eq!(wire(&huge, 0, 0).bytes, 46);
}

#[test]
fn segments_count_with_headers_of_their_own() {
    let mut tcp = vec![0; 32];
    tcp[12] = 8 << 4;
    let payload = [ipv4_header(0, TCP), tcp.clone(), vec![0; 4000]].concat();
    let frame = ethernet(&[], ETHERTYPE_IPV4, &payload);
    // 4000 bytes of payload in segments of 1448 are three packets with 52 bytes of headers each.
    let expected = Wire { bytes: 4000 + 3 * 52, packets: 3 };
    assert_eq!(wire(&frame, 1448, 3), expected);
    assert_eq!(wire(&frame, 1448, 0), expected);
    let payload = [ipv6_header(0, UDP), vec![0; 8], vec![0; 2400]].concat();
    let frame = ethernet(&[], ETHERTYPE_IPV6, &payload);
    assert_eq!(wire(&frame, 1200, 2), Wire { bytes: 2400 + 2 * 48, packets: 2 });
}

#[test]
fn multicast_and_link_local_packets_are_exempt() {
    let packet = |source: [u8; 4], destination: [u8; 4]| Packet {
        version: Version::V4,
        network_offset: 14,
        source: Address::from_ipv4(source),
        destination: Address::from_ipv4(destination),
    };
    assert!(packet(SOURCE, [224, 0, 0, 251]).is_exempt());
    assert!(packet([0; 4], Ipv4Addr::BROADCAST.octets()).is_exempt());
    assert!(packet([169, 254, 0, 1], DESTINATION).is_exempt());
    assert!(!packet(SOURCE, DESTINATION).is_exempt());
}

proptest! {
    #[test]
    fn no_bytes_are_beyond_the_parser(
        frame in prop::collection::vec(any::<u8>(), 0..128),
        segment_bytes in 0_u32..3000,
        segments in 0_u32..70_000,
        extra in 0_u32..1 << 20,
    ) {
        if let Ok(packet) = parse(&frame[..]) {
            let len_bytes = frame.len() as u32 + extra;
            let wire = measure(&frame[..], &packet, Buffer { len_bytes, segment_bytes, segments });
            prop_assert!(wire.packets >= 1);
            prop_assert!(segment_bytes != 0 || wire.bytes <= len_bytes);
        }
    }

    #[test]
    fn whatever_follows_the_addresses_they_are_found(
        first in 0x40_u8..0x50,
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut header = ipv4_header(0, 0);
        header[0] = first;
        header.extend(tail);
        let packet = parse(&ethernet(&[], ETHERTYPE_IPV4, &header)[..]);
        prop_assert_eq!(packet.map(|packet| packet.source), Ok(Address::from_ipv4(SOURCE)));
    }
}
