use proptest::prelude::*;

use super::*;

const fn merged(bytes: u32, packets: u32, segment_bytes: u32) -> Wire {
    Wire { bytes, packets, segment_bytes }
}

/// A TCP header of `bytes` bytes.
fn tcp(bytes: u8) -> Vec<u8> {
    let mut header = vec![0; usize::from(bytes)];
    header[12] = (bytes / 4) << 4;
    header
}

#[test]
fn one_packet_counts_its_layer_3_bytes() {
    let frame = padded(&ethernet(&[], IPV4, &ipv4_header(1500, UDP)), 1514);
    assert_eq!(wire(&frame, 0, 0), Wire::single(1500));
    let tagged = ethernet(&[[0x81, 0, 0, 5]], IPV4, &ipv4_header(1500, UDP));
    assert_eq!(wire(&padded(&tagged, 1518), 0, 0), Wire::single(1500));
    let session = pppoe(&[0, 0x21], &padded(&ipv4_header(1492, UDP), 1492));
    assert_eq!(wire(&ethernet(&[], PPPOE, &session), 0, 0), Wire::single(1492));
}

#[test]
fn padding_of_a_short_frame_is_not_counted() {
    let frame = padded(&ethernet(&[], IPV4, &ipv4_header(29, UDP)), 60);
    assert_eq!(wire(&frame, 0, 0).bytes, 29);
    let frame = padded(&ethernet(&[], IPV6, &ipv6_header(2, 59)), 60);
    assert_eq!(wire(&frame, 0, 0).bytes, 42);
    let frame = padded(&ethernet(&[], PPPOE, &pppoe(&[0, 0x21], &ipv4_header(29, UDP))), 60);
    assert_eq!(wire(&frame, 0, 0).bytes, 29);
}

#[test]
fn a_length_that_lies_gains_nothing() {
    let long = padded(&ethernet(&[], IPV4, &ipv4_header(20, UDP)), 1514);
    assert_eq!(wire(&long, 0, 0).bytes, 1500);
    let zero = padded(&ethernet(&[], IPV4, &ipv4_header(0, UDP)), 60);
    assert_eq!(wire(&zero, 0, 0).bytes, 20);
    let huge = padded(&ethernet(&[], IPV4, &ipv4_header(60_000, UDP)), 60);
    assert_eq!(wire(&huge, 0, 0).bytes, 46);
    let behind_pppoe = ethernet(&[], PPPOE, &pppoe(&[0, 0x21], &ipv4_header(20, UDP)));
    assert_eq!(wire(&padded(&behind_pppoe, 60), 0, 0).bytes, 20);
    assert_eq!(wire(&padded(&behind_pppoe, 62), 0, 0).bytes, 40);
}

#[test]
fn a_link_without_a_header_pads_nothing() {
    let packet = padded(&ipv4_header(20, UDP), 46);
    let parsed = packet::parse(&packet[..], LinkHeader::None).unwrap();
    let buffer = Buffer { len_bytes: 46, ..Buffer::default() };
    assert_eq!(packet::measure(&packet[..], &parsed, buffer), Wire::single(46));
}

#[test]
fn segments_count_with_headers_of_their_own() {
    let payload = [ipv4_header(0, TCP), tcp(32), vec![0; 4000]].concat();
    let frame = ethernet(&[], IPV4, &payload);
    // 4000 bytes of payload in segments of 1448 are three packets with 52 bytes of headers each.
    let expected = merged(4000 + 3 * 52, 3, 1500);
    assert_eq!(wire(&frame, 1448, 3), expected);
    assert_eq!(wire(&frame, 1448, 0), expected);
    let payload = [ipv6_header(0, UDP), vec![0; 8], vec![0; 2400]].concat();
    let frame = ethernet(&[], IPV6, &payload);
    assert_eq!(wire(&frame, 1200, 2), merged(2400 + 2 * 48, 2, 1248));
}

#[test]
fn every_segment_repeats_the_extension_headers() {
    let options = vec![43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let routing = vec![44, 0, 4, 0, 0, 0, 0, 0];
    let fragment = vec![60, 0, 0, 0, 0, 0, 0, 1];
    let destination = [vec![TCP, 2], vec![0; 22]].concat();
    let headers = [ipv6_header(0, 0), options, routing, fragment, destination, tcp(20)];
    let headers = headers.concat();
    assert_eq!(headers.len(), 116);
    let frame = ethernet(&[], IPV6, &[headers, vec![0; 2500]].concat());
    let expected = merged(2500 + 3 * 116, 3, 1116);
    assert_eq!(wire(&frame, 1000, 3), expected);
    assert_eq!(wire(&frame, 1000, 0), expected);
}

#[test]
fn the_jumbo_header_of_a_merged_packet_is_not_on_the_wire() {
    let jumbo = vec![TCP, 0, 0xc2, 4, 0, 2, 0, 0];
    let headers = [ipv6_header(0, 0), jumbo, tcp(32)].concat();
    let frame = ethernet(&[], IPV6, &[headers, vec![0; 130_000]].concat());
    let expected = merged(130_000 + 92 * 72, 92, 1500);
    assert_eq!(wire(&frame, 1428, 92), expected);
    assert_eq!(wire(&frame, 1428, 0), expected);
}

#[test]
fn a_jumbo_header_that_a_sender_wrote_is_on_the_wire() {
    let jumbo = vec![TCP, 0, 0xc2, 4, 0, 2, 0, 0];
    let headers = [ipv6_header(0, 0), jumbo, tcp(32)].concat();
    let frame = ethernet(&[], IPV6, &[headers, vec![0; 3000]].concat());
    assert_eq!(wire(&frame, 1420, 3), merged(3000 + 3 * 80, 3, 1500));
}

#[test]
fn headers_that_are_not_understood_count_as_far_as_the_segments_tell() {
    // An IPv4 packet with one byte of payload in an IPv4 tunnel, 64 times.
    let payload = [ipv4_header(0, 4), ipv4_header(0, TCP), tcp(32), vec![0; 64]].concat();
    let frame = ethernet(&[], IPV4, &payload);
    assert_eq!(wire(&frame, 1, 64), merged(64 * 73, 64, 73));
}

#[test]
fn segments_of_any_size_count_the_same_each() {
    let payload = [ipv4_header(0, 132), vec![0; 12], vec![0; 3000]].concat();
    let frame = ethernet(&[], IPV4, &payload);
    assert_eq!(wire(&frame, 0xffff, 3), merged(3000 + 3 * 32, 3, 1032));
}

#[test]
fn overhead_counts_once_per_packet() {
    assert_eq!(Wire::single(1500).with_overhead(38), Wire::single(1538));
    let segments = merged(4156, 3, 1500);
    assert_eq!(segments.with_overhead(38), merged(4156 + 3 * 38, 3, 1538));
    assert_eq!(segments.with_overhead(0), segments);
    assert_eq!(segments.with_overhead(u32::MAX), merged(u32::MAX, 3, u32::MAX));
}

#[test]
fn units_are_counted_packet_by_packet() {
    assert_eq!(Wire::single(1500).units(0), 1);
    assert_eq!(Wire::single(1500).units(1500), 1);
    assert_eq!(Wire::single(1501).units(1500), 2);
    assert_eq!(Wire::single(0).units(1500), 1);
    // Packets of 1500, 1500 and 1156 bytes.
    let segments = merged(4156, 3, 1500);
    assert_eq!(segments.units(0), 3);
    assert_eq!(segments.units(1024), 2 + 2 + 2);
    assert_eq!(segments.units(1200), 2 + 2 + 1);
    assert_eq!(segments.units(1), 4156);
    assert_eq!(segments.units(u32::MAX), 3);
}

proptest! {
    #[test]
    fn no_bytes_are_beyond_the_parser(
        frame in prop::collection::vec(any::<u8>(), 0..160),
        ethertype in prop::option::of(prop::sample::select(vec![IPV4, IPV6, PPPOE, [0x81, 0]])),
        first in prop::option::of(prop::sample::select(vec![0x45_u8, 0x4f, 0x60])),
        segment_bytes in prop_oneof![0_u32..3000, any::<u32>()],
        segments in prop_oneof![Just(0_u32), 0_u32..70_000, any::<u32>()],
        extra in prop_oneof![0_u32..1 << 20, any::<u32>()],
        overhead_bytes in any::<u32>(),
        unit_bytes in any::<u32>(),
    ) {
        let mut frame = frame;
        if let (Some(ethertype), Some(at)) = (ethertype, frame.get_mut(12..14)) {
            at.copy_from_slice(&ethertype);
        }
        for at in [0, 14] {
            if let (Some(first), Some(byte)) = (first, frame.get_mut(at)) {
                *byte = first;
            }
        }
        let len_bytes = (frame.len() as u32).saturating_add(extra);
        let buffer = Buffer { len_bytes, segment_bytes, segments };
        for link in [LinkHeader::Ethernet, LinkHeader::None] {
            if let Ok(packet) = packet::parse(&frame[..], link) {
                let wire = packet::measure(&frame[..], &packet, buffer);
                let _ = packet.is_exempt(&frame[..], buffer);
                prop_assert!(wire.packets >= 1);
                prop_assert!(segment_bytes != 0 || wire.bytes <= len_bytes);
                prop_assert!(wire.packets != 1 || wire.segment_bytes == wire.bytes);
                prop_assert!(wire.units(unit_bytes) >= wire.packets);
                prop_assert!(wire.with_overhead(overhead_bytes).bytes >= wire.bytes);
            }
        }
    }
}
