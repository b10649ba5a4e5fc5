use std::net::Ipv4Addr;

use super::*;

const NEAR: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
const FAR: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9];

/// A neighbour solicitation in unicast, with a link-layer address.
fn solicitation() -> Vec<u8> {
    let mut packet = ipv6_header(32, 58);
    packet[7] = 255;
    packet[8..24].copy_from_slice(&NEAR);
    packet[24..40].copy_from_slice(&FAR);
    packet.extend([135, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(FAR);
    packet.extend([1, 1, 2, 0, 0, 0, 0, 1]);
    packet
}

fn is_exempt(packet: &[u8], segment_bytes: u32) -> bool {
    let frame = ethernet(&[[0x81, 0, 0, 5]], IPV6, packet);
    let buffer = Buffer { len_bytes: frame.len() as u32, segment_bytes, segments: 0 };
    parsed(&frame).unwrap().is_exempt(&frame[..], buffer)
}

/// A solicitation with `bytes` at `offset` of its IPv6 header.
fn with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut packet = solicitation();
    packet[offset..offset + bytes.len()].copy_from_slice(bytes);
    packet
}

#[test]
fn multicast_and_link_local_packets_are_exempt() {
    let is_exempt = |source: [u8; 4], destination: [u8; 4]| {
        let mut packet = ipv4_header(20, UDP);
        packet[12..16].copy_from_slice(&source);
        packet[16..20].copy_from_slice(&destination);
        let frame = ethernet(&[], IPV4, &packet);
        parsed(&frame).unwrap().is_exempt(&frame[..], Buffer::default())
    };
    assert!(is_exempt(SOURCE, [224, 0, 0, 251]));
    assert!(is_exempt([0; 4], Ipv4Addr::BROADCAST.octets()));
    assert!(is_exempt([169, 254, 0, 1], DESTINATION));
    assert!(is_exempt(SOURCE, [169, 254, 0, 1]));
    assert!(!is_exempt(SOURCE, DESTINATION));
}

#[test]
fn ipv6_multicast_and_link_local_packets_are_exempt() {
    let plain = with(6, &[UDP]);
    assert!(!is_exempt(&plain, 0));
    for (offset, first) in [(24, [0xff, 2]), (24, [0xfe, 0x80]), (8, [0xfe, 0x80])] {
        let mut packet = plain.clone();
        packet[offset..offset + 2].copy_from_slice(&first);
        assert!(is_exempt(&packet, 0), "{first:x?} at {offset}");
    }
}

#[test]
fn neighbours_confirm_each_other_beyond_any_limit() {
    assert!(is_exempt(&solicitation(), 0));
    assert!(is_exempt(&with(40, &[136]), 0), "an advertisement");
    assert!(is_exempt(&solicitation()[..64], 0), "without a link-layer address");
    assert!(is_exempt(&padded(&solicitation(), 128), 0), "with more options");
}

#[test]
fn neighbour_discovery_is_no_way_past_a_limit() {
    for (packet, why) in [
        (with(7, &[254]), "it was forwarded"),
        (with(31, &[3]), "it goes to another link"),
        (with(15, &[3]), "it comes from another link"),
        (with(6, &[UDP]), "it is UDP"),
        (with(6, &[60]), "it has an extension header"),
        (with(40, &[128]), "it is an echo request"),
        (with(40, &[133]), "it is a router solicitation"),
        (with(40, &[137]), "it is a redirect"),
        (with(41, &[1]), "its code is unknown"),
        (padded(&solicitation(), 129), "it is long"),
        (solicitation()[..41].to_vec(), "its code is cut off"),
    ] {
        assert!(!is_exempt(&packet, 0), "{why}");
    }
    assert!(!is_exempt(&solicitation(), 8), "it is merged");
    let mut mapped = solicitation();
    for (at, address) in [(8, SOURCE), (24, DESTINATION)] {
        mapped[at..at + 10].fill(0);
        mapped[at + 10..at + 12].fill(0xff);
        mapped[at + 12..at + 16].copy_from_slice(&address);
    }
    assert!(!is_exempt(&mapped, 0), "IPv4 hosts have no such neighbours");
}

#[test]
fn the_bytes_of_neighbour_discovery_are_the_same_in_ipv4_and_mean_nothing() {
    let mut packet = ipv4_header(72, 58);
    packet.extend(&solicitation()[20..]);
    let frame = ethernet(&[], IPV4, &packet);
    assert!(!parsed(&frame).unwrap().is_exempt(&frame[..], Buffer::default()));
}
