use proptest::prelude::*;

use super::*;

#[test]
fn addresses_are_found_behind_up_to_two_tags() {
    let c_tag = [0x81, 0, 0, 5];
    let s_tag = [0x88, 0xa8, 0, 9];
    for (tags, offset) in [(&[][..], 14), (&[c_tag][..], 18), (&[s_tag, c_tag][..], 22)] {
        let packet = parsed(&ethernet(tags, IPV4, &ipv4_header(20, UDP))).unwrap();
        assert_eq!(packet.network_offset, offset);
        assert_eq!(packet.source, Address::from_ipv4(SOURCE));
        assert_eq!(packet.destination, Address::from_ipv4(DESTINATION));
        let packet = parsed(&ethernet(tags, IPV6, &ipv6_header(0, 59))).unwrap();
        assert_eq!(packet.source, Address::from_octets([0xfd; 16]));
        assert_eq!(packet.destination, Address::from_octets([0x20; 16]));
    }
}

#[test]
fn addresses_are_found_behind_pppoe() {
    for tags in [&[][..], &[[0x81, 0, 0, 5]], &[[0x88, 0xa8, 0, 9], [0x81, 0, 0, 5]]] {
        let offset = 22 + 4 * tags.len();
        let session = pppoe(&[0, 0x21], &ipv4_header(20, UDP));
        let packet = parsed(&ethernet(tags, PPPOE, &session)).unwrap();
        assert_eq!((packet.version, packet.network_offset), (Version::V4, offset));
        assert_eq!(packet.source, Address::from_ipv4(SOURCE));
        let session = pppoe(&[0, 0x57], &ipv6_header(0, 59));
        let packet = parsed(&ethernet(tags, PPPOE, &session)).unwrap();
        assert_eq!((packet.version, packet.network_offset), (Version::V6, offset));
        assert_eq!(packet.destination, Address::from_octets([0x20; 16]));
    }
}

#[test]
fn a_compressed_ppp_protocol_hides_no_addresses() {
    let frame = ethernet(&[], PPPOE, &pppoe(&[0x21], &ipv4_header(20, UDP)));
    assert_eq!(parsed(&frame).unwrap().source, Address::from_ipv4(SOURCE));
    let frame = ethernet(&[], PPPOE, &pppoe(&[0x57], &ipv6_header(0, 59)));
    assert_eq!(parsed(&frame).unwrap().source, Address::from_octets([0xfd; 16]));
}

#[test]
fn pppoe_without_ip_is_not_ip() {
    let discovery = ethernet(&[], [0x88, 0x63], &pppoe(&[0, 0x21], &ipv4_header(20, UDP)));
    assert_eq!(parsed(&discovery), Err(NoAddresses::NotIp));
    for protocol in [[0xc0, 0x21], [0x80, 0x21], [0x80, 0x57], [0x00, 0x3d]] {
        let control = ethernet(&[], PPPOE, &pppoe(&protocol, &ipv4_header(20, UDP)));
        assert_eq!(parsed(&control), Err(NoAddresses::NotIp), "{protocol:?}");
    }
}

#[test]
fn a_link_without_a_header_goes_by_the_version() {
    let parse = |packet: &[u8]| packet::parse(packet, LinkHeader::None);
    let packet = parse(&ipv4_header(20, UDP)).unwrap();
    assert_eq!((packet.version, packet.network_offset), (Version::V4, 0));
    assert_eq!(packet.source, Address::from_ipv4(SOURCE));
    let packet = parse(&ipv6_header(0, 59)).unwrap();
    assert_eq!((packet.version, packet.network_offset), (Version::V6, 0));
    assert_eq!(packet.destination, Address::from_octets([0x20; 16]));
    for version in (0..16).filter(|version| ![4, 6].contains(version)) {
        assert_eq!(parse(&[version << 4; 60]), Err(NoAddresses::NotIp), "version {version}");
    }
    assert_eq!(parse(&[]), Err(NoAddresses::Malformed));
    assert_eq!(parse(&ipv4_header(20, UDP)[..19]), Err(NoAddresses::Malformed));
    assert_eq!(parse(&ipv6_header(0, 59)[..39]), Err(NoAddresses::Malformed));
}

#[test]
fn what_is_not_ip_is_told_from_what_is_malformed() {
    let arp = ethernet(&[], [0x08, 0x06], &[0; 28]);
    assert_eq!(parsed(&arp), Err(NoAddresses::NotIp));
    assert_eq!(parsed(&arp[..14]), Err(NoAddresses::NotIp));
    let three_tags = ethernet(&[[0x81, 0, 0, 1]; 3], IPV4, &ipv4_header(20, UDP));
    assert_eq!(parsed(&three_tags), Err(NoAddresses::NotIp));
    let wrong_version = ethernet(&[], IPV6, &ipv4_header(20, UDP));
    assert_eq!(parsed(&padded(&wrong_version, 100)), Err(NoAddresses::Malformed));
    let wrong_version = ethernet(&[], IPV4, &ipv6_header(0, 59));
    assert_eq!(parsed(&wrong_version), Err(NoAddresses::Malformed));
}

#[test]
fn a_header_cut_short_is_malformed() {
    let session = pppoe(&[0, 0x57], &ipv6_header(0, 59));
    for whole in [
        ethernet(&[], IPV4, &ipv4_header(20, UDP)),
        ethernet(&[], IPV6, &ipv6_header(0, 59)),
        ethernet(&[[0x81, 0, 0, 5]], IPV4, &ipv4_header(20, UDP)),
        ethernet(&[[0x81, 0, 0, 5]], PPPOE, &session),
    ] {
        for len in 0..whole.len() {
            assert_eq!(parsed(&whole[..len]), Err(NoAddresses::Malformed), "{len} bytes");
        }
        assert!(parsed(&whole).is_ok());
    }
}

#[test]
fn a_wrong_header_length_does_not_hide_the_addresses() {
    let mut header = ipv4_header(9, TCP);
    header[0] = 0x40;
    let packet = parsed(&ethernet(&[], IPV4, &header)).unwrap();
    assert_eq!(packet.source, Address::from_ipv4(SOURCE));
}

#[test]
fn every_fragment_has_addresses() {
    // The first with more to come, one in between, and the last; none but the first with ports.
    for [high, low] in [[0x20, 0], [0x20, 185], [0x01, 0x72]] {
        let mut header = ipv4_header(28, UDP);
        header[6..8].copy_from_slice(&[high, low]);
        let packet = parsed(&ethernet(&[], IPV4, &padded(&header, 28))).unwrap();
        assert_eq!(packet.source, Address::from_ipv4(SOURCE));
        assert_eq!(packet.destination, Address::from_ipv4(DESTINATION));
    }
    for [high, low] in [[0, 1], [0x05, 0xa9], [0x0b, 0x50]] {
        let fragment = [ipv6_header(16, 44), vec![UDP, 0, high, low, 0, 0, 0, 9], vec![0; 8]];
        let packet = parsed(&ethernet(&[], IPV6, &fragment.concat())).unwrap();
        assert_eq!(packet.source, Address::from_octets([0xfd; 16]));
        assert_eq!(packet.destination, Address::from_octets([0x20; 16]));
    }
}

#[test]
fn extension_headers_do_not_hide_the_addresses() {
    for next in [0, 43, 44, 50, 51, 60, 135, 139, 140, 253] {
        let packet = [ipv6_header(8, next), vec![0xff; 8]].concat();
        let packet = parsed(&ethernet(&[], IPV6, &packet)).unwrap();
        assert_eq!(packet.source, Address::from_octets([0xfd; 16]), "next header {next}");
    }
}

proptest! {
    #[test]
    fn whatever_follows_the_addresses_they_are_found(
        first in 0x40_u8..0x50,
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut header = ipv4_header(0, 0);
        header[0] = first;
        header.extend(tail);
        let packet = parsed(&ethernet(&[], IPV4, &header));
        prop_assert_eq!(packet.map(|packet| packet.source), Ok(Address::from_ipv4(SOURCE)));
    }
}
