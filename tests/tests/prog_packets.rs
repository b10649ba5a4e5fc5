//! What the program makes of each kind of packet: verdict, counters, and the bytes that come out.

use throttle_agent::datapath::Tally;
use throttle_agent::policy::Limit;
use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::units::Size;
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, Segments, limits, with_program};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const PEER: &str = "192.0.2.7";
const HOST6: &str = "fd00:0:0:1::1";
const PEER6: &str = "2001:db8::7";

/// A limit for both families that the packets of one test do not exhaust.
fn wide(program: &mut Program) {
    program.set(&limits::each("10.0.0.0/24", limits::bytes(1 << 20)));
    program.set(&limits::each("fd00::/48", limits::bytes(1 << 20)));
}

#[test]
fn a_packet_of_no_limited_host_passes_and_is_counted_as_such() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        let frame = Frame::udp("10.1.0.1", PEER).bytes();
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::NoLimit, 1000);
        let frame = Frame::udp("fd01::1", PEER6).bytes();
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::NoLimit, 1000);
        assert!(program.host("10.1.0.1").is_none(), "a host without a limit was made");
    });
}

#[test]
fn both_families_and_both_hooks_charge_the_host_on_either_side() {
    require_root!();
    for (side, up, down) in
        [(Side::Far, Hook::Ingress, Hook::Egress), (Side::Near, Hook::Egress, Hook::Ingress)]
    {
        with_program(side, |program| {
            wide(program);
            for (host, peer) in [(HOST, PEER), (HOST6, PEER6)] {
                let sent = Frame::udp(host, peer).bytes();
                program.expect(up, &sent, Direction::Up, Reason::Conforms, 1000);
                let received = Frame::tcp(peer, host).layer3_bytes(1500).bytes();
                program.expect(down, &received, Direction::Down, Reason::Conforms, 1500);
                let state = program.host(host).expect("the host was made");
                assert_eq!(state.up.passed, Tally { packets: 1, bytes: 1000 });
                assert_eq!(state.down.passed, Tally { packets: 1, bytes: 1500 });
                assert_eq!(state.up.excess, Tally::default());
            }
        });
    }
}

#[test]
fn tags_hide_no_address() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        for (host, peer) in [(HOST, PEER), (HOST6, PEER6)] {
            let vlan = Frame::udp(host, peer).tag(0x8100, 5);
            program.expect(Hook::Ingress, &vlan.bytes(), Direction::Up, Reason::Conforms, 1000);
            let qinq = vlan.tag(0x88a8, 9);
            program.expect(Hook::Ingress, &qinq.bytes(), Direction::Up, Reason::Conforms, 1000);
        }
    });
}

#[test]
fn multicast_broadcast_and_link_local_pass_uncharged() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("0.0.0.0/0", limits::bytes(1)));
        program.set(&limits::each("::/0", limits::bytes(1)));
        for (source, destination) in [
            (HOST, "224.0.0.251"),
            ("0.0.0.0", "255.255.255.255"),
            ("169.254.0.9", PEER),
            (HOST6, "ff02::1"),
            ("fe80::1", PEER6),
            (HOST6, "fe80::1"),
        ] {
            let frame = Frame::udp(source, destination).bytes();
            program.expect(Hook::Ingress, &frame, Direction::Up, Reason::Exempt, 1000);
        }
        assert!(program.host(HOST).is_none(), "an exempt packet made a host");
    });
}

#[test]
fn what_is_not_ip_or_malformed_is_left_alone_and_counted() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("0.0.0.0/0", limits::bytes(1)));
        let mut arp = Frame::udp(HOST, PEER).bytes();
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        program.expect(Hook::Ingress, &arp, Direction::Up, Reason::NotIp, 1014);
        // The kernel itself refuses to run untagged frames as short as these.
        let whole = Frame::udp(HOST, PEER).tag(0x8100, 5).bytes();
        for length in [17, 18, 20, 37] {
            let bytes = length as u64;
            program.expect(
                Hook::Ingress,
                &whole[..length],
                Direction::Up,
                Reason::Malformed,
                bytes,
            );
        }
        let mut wrong_version = Frame::udp(HOST, PEER).bytes();
        wrong_version[14] = 0x65;
        program.expect(Hook::Ingress, &wrong_version, Direction::Up, Reason::Malformed, 1014);
    });
}

#[test]
fn a_parsable_address_is_limited_whatever_else_is_wrong() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("10.0.0.0/24", limits::bytes(1)));
        let mut frame = Frame::udp(HOST, PEER).bytes();
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::Conforms, 1000);
        // An impossible header length, a length of nothing and a fragment offset.
        (frame[14], frame[16], frame[17], frame[20]) = (0x40, 0, 0, 0x20);
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::HostBytes, 1000);
        // Nothing behind the addresses.
        program.expect(Hook::Ingress, &frame[..34], Direction::Up, Reason::HostBytes, 20);
    });
}

#[test]
fn segments_count_as_the_packets_they_become() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        let segments = |size_bytes, count| Segments { size_bytes, count };
        // 40 bytes of headers and 3000 of payload in segments of 1448.
        let tcp = Frame::tcp(HOST, PEER).layer3_bytes(3040).bytes();
        let moved = Tally { packets: 3, bytes: 3000 + 3 * 40 };
        let (up, conforms) = (Direction::Up, Reason::Conforms);
        for count in [3, 0] {
            program.expect_segments(
                Hook::Ingress,
                &tcp,
                segments(1448, count),
                up,
                conforms,
                moved,
            );
        }
        // 48 bytes of headers and 2400 of payload in segments of 1200.
        let udp = Frame::udp(HOST6, PEER6).layer3_bytes(2448).bytes();
        let moved = Tally { packets: 2, bytes: 2400 + 2 * 48 };
        program.expect_segments(Hook::Ingress, &udp, segments(1200, 2), up, conforms, moved);
    });
}

#[test]
fn a_short_packet_counts_without_its_padding() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        let mut frame = Frame::udp(HOST, PEER).layer3_bytes(29).bytes();
        frame.resize(60, 0);
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::Conforms, 29);
    });
}

#[test]
fn pppoe_hides_no_address() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        let (up, conforms) = (Direction::Up, Reason::Conforms);
        for (host, peer, full) in [(HOST, PEER, [0, 0x21]), (HOST6, PEER6, [0, 0x57])] {
            for protocol in [&full[..], &full[1..]] {
                let inside = Frame::udp(host, peer).pppoe(protocol);
                let tagged = inside.clone().tag(0x8100, 5);
                for frame in [inside, tagged.clone(), tagged.tag(0x88a8, 9)] {
                    program.expect(Hook::Ingress, &frame.bytes(), up, conforms, 1000);
                }
            }
        }
        // What a session is kept alive by.
        let lcp = Frame::udp(HOST, PEER).pppoe(&[0xc0, 0x21]).bytes();
        program.expect(Hook::Ingress, &lcp, up, Reason::NotIp, 1022);
    });
}

#[test]
fn a_short_packet_inside_pppoe_counts_without_its_padding() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        for protocol in [&[0, 0x21][..], &[0x21]] {
            let frame = Frame::udp(HOST, PEER).pppoe(protocol).layer3_bytes(29);
            let mut padded = frame.bytes();
            padded.resize(60, 0);
            program.expect(Hook::Ingress, &padded, Direction::Up, Reason::Conforms, 29);
            // A frame that needs no padding counts whole, whatever the header says.
            let mut lying = frame.clone().layer3_bytes(60).bytes();
            lying[frame.network_offset() + 3] = 29;
            program.expect(Hook::Ingress, &lying, Direction::Up, Reason::Conforms, 60);
        }
    });
}

#[test]
fn fragments_and_extension_headers_hide_no_address() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        let (up, conforms) = (Direction::Up, Reason::Conforms);
        for fragment in [1 << 13, 1 << 13 | 185, 185] {
            let frame = Frame::udp(HOST, PEER).fragment(fragment).bytes();
            program.expect(Hook::Ingress, &frame, up, conforms, 1000);
        }
        let options = [0, 1, 4, 0, 0, 0, 0];
        let later_fragment = [0, 5, 0xa8, 0, 0, 0, 1];
        let mut frame = Frame::udp(HOST6, PEER6);
        for (number, rest) in [(0, options), (60, options), (43, options), (44, later_fragment)] {
            frame = frame.extension(number, &rest);
            program.expect(Hook::Ingress, &frame.bytes(), up, conforms, 1000);
        }
        // One that is not known, and no room for what it announces.
        let unknown = Frame::udp(HOST6, PEER6).extension(253, &[255, 0, 0, 0, 0, 0, 0]);
        program.expect(Hook::Ingress, &unknown.bytes(), up, conforms, 1000);
    });
}

#[test]
fn segments_repeat_their_extension_headers() {
    require_root!();
    with_program(Side::Far, |program| {
        wide(program);
        let (up, conforms) = (Direction::Up, Reason::Conforms);
        let options = [0, 1, 4, 0, 0, 0, 0];
        // How Linux writes the length of a packet above 64 KiB; this one is below.
        let jumbo = [0, 0xc2, 4, 0, 0, 0, 0];
        let mut frame = Frame::tcp(HOST6, PEER6);
        let mut headers_bytes = 60;
        let chains = [vec![(0, jumbo)], vec![(0, options), (60, options), (43, options)]];
        for extension in chains.into_iter().flatten() {
            if extension.0 == 0 {
                (frame, headers_bytes) = (Frame::tcp(HOST6, PEER6), 60);
            }
            frame = frame.extension(extension.0, &extension.1);
            headers_bytes += 8;
            let sent = frame.clone().layer3_bytes(3000 + headers_bytes).bytes();
            let moved = Tally { packets: 3, bytes: 3000 + 3 * headers_bytes as u64 };
            for count in [3, 0] {
                let segments = Segments { size_bytes: 1448, count };
                program.expect_segments(Hook::Ingress, &sent, segments, up, conforms, moved);
            }
        }
    });
}

#[test]
fn unicast_neighbour_discovery_is_exempt_within_one_64_bit_prefix_alone() {
    require_root!();
    const SOLICITATION: u8 = 135;
    const ADVERTISEMENT: u8 = 136;
    with_program(Side::Far, |program| {
        wide(program);
        let neighbour = "fd00:0:0:1::ffff";
        let near = |kind| Frame::icmpv6(HOST6, neighbour, kind).hop_limit(255);
        let mut reason = |frame: &[u8], reason, bytes| {
            program.expect(Hook::Ingress, frame, Direction::Up, reason, bytes);
        };
        for kind in [SOLICITATION, ADVERTISEMENT] {
            reason(&near(kind).bytes(), Reason::Exempt, 72);
            reason(&near(kind).tag(0x8100, 5).bytes(), Reason::Exempt, 72);
            reason(&near(kind).layer3_bytes(128).bytes(), Reason::Exempt, 128);
            // Too long, forwarded, to another prefix.
            reason(&near(kind).layer3_bytes(129).bytes(), Reason::Conforms, 129);
            reason(&near(kind).hop_limit(254).bytes(), Reason::Conforms, 72);
            let far = Frame::icmpv6(HOST6, "fd00:0:0:2::1", kind).hop_limit(255);
            reason(&far.bytes(), Reason::Conforms, 72);
            // Of another code, and behind another header.
            let mut other_code = near(kind).bytes();
            other_code[near(kind).network_offset() + 41] = 1;
            reason(&other_code, Reason::Conforms, 72);
            let behind = near(kind).extension(60, &[0, 1, 4, 0, 0, 0, 0]);
            reason(&behind.bytes(), Reason::Conforms, 72);
        }
        for kind in [128, 133, 134, 137] {
            reason(&near(kind).bytes(), Reason::Conforms, 72);
        }
    });
}

#[test]
fn a_packet_counts_as_one_for_each_unit_that_it_begins() {
    require_root!();
    with_program(Side::Far, |program| {
        let unit = |prefix: &str, burst| Limit {
            packet_unit: Some(Size::from_bytes(100)),
            ..limits::each(prefix, limits::packets(burst))
        };
        let (conforms, refused) = (Reason::Conforms, Reason::HostPackets);
        // Units of each packet; those that find a debt of at most 20 units pass.
        for (number, (bytes, passing)) in
            [(1000, 3), (1001, 2), (999, 3), (100, 21), (101, 11), (28, 21)].into_iter().enumerate()
        {
            let (prefix, host) = (format!("10.0.{number}.0/24"), format!("10.0.{number}.1"));
            program.set(&unit(&prefix, 20));
            let frame = Frame::udp(&host, PEER).layer3_bytes(bytes).bytes();
            for _ in 0..passing {
                program.expect(Hook::Ingress, &frame, Direction::Up, conforms, bytes as u64);
            }
            program.expect(Hook::Ingress, &frame, Direction::Up, refused, bytes as u64);
        }
        // Segments of 1488, 1488 and 144 bytes: 15, 15 and 2 units.
        program.set(&unit("10.1.0.0/24", 31));
        let merged = Frame::tcp("10.1.0.1", PEER).layer3_bytes(3040).bytes();
        let segments = Segments { size_bytes: 1448, count: 3 };
        let moved = Tally { packets: 3, bytes: 3120 };
        let up = Direction::Up;
        program.expect_segments(Hook::Ingress, &merged, segments, up, conforms, moved);
        program.expect_segments(Hook::Ingress, &merged, segments, up, refused, moved);
        program.set(&unit("10.2.0.0/24", 32));
        let merged = Frame::tcp("10.2.0.1", PEER).layer3_bytes(3040).bytes();
        program.expect_segments(Hook::Ingress, &merged, segments, up, conforms, moved);
        program.expect_segments(Hook::Ingress, &merged, segments, up, conforms, moved);
        program.expect_segments(Hook::Ingress, &merged, segments, up, refused, moved);
    });
}
