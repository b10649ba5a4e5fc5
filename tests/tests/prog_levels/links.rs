//! Limits of a whole link, and what it adds to each packet.

use throttle_agent::policy::{LinkLimit, ParentAction, Rates};
use throttle_common::abi::{Hook, Side};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Fate, Moves, Segments, limits, with_program};
use throttle_tests::require_root;

use super::{GROUP, HOST, OTHER, PEER, PREFIX, conform, down, member, of_bytes, of_packets, up};

#[test]
fn a_link_holds_hosts_without_a_limit_too() {
    require_root!();
    for (rates, by_link) in [(of_bytes(1), Reason::LinkBytes), (of_packets(1), Reason::LinkPackets)]
    {
        with_program(Side::Far, |program| {
            program.set_link(&limits::link(rates));
            program.keeps(Hook::Ingress, &up(HOST), &Moves::up(Reason::NoLimit, 1000));
            let sent = Frame::udp("fd00::1", "2001:db8::1").bytes();
            program.keeps(Hook::Ingress, &sent, &Moves::up(Reason::NoLimit, 1000));
            program.keeps(Hook::Ingress, &up(HOST), &Moves::up(by_link, 1000));
            program.keeps(Hook::Egress, &down(HOST), &Moves::down(Reason::NoLimit, 1000));
            // Nothing that keeps the link itself alive is held.
            let all = Frame::udp(HOST, "224.0.0.1").bytes();
            program.keeps(Hook::Ingress, &all, &Moves::up(Reason::Exempt, 1000));
            program.set_link(&LinkLimit::default());
            program.keeps(Hook::Ingress, &up(HOST), &Moves::up(Reason::NoLimit, 1000));
        });
    }
}

#[test]
fn a_link_that_observes_refuses_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        let link = LinkLimit { action: ParentAction::Observe, ..limits::link(of_bytes(1)) };
        program.set_link(&link);
        program.set_group(&limits::group(GROUP, of_bytes(100)));
        program.set(&limits::within(limits::each(PREFIX, of_bytes(100)), GROUP));
        let other = "172.16.0.1";
        program.keeps(Hook::Ingress, &up(other), &Moves::up(Reason::NoLimit, 1000));
        conform(program, HOST, 1);
        for _ in 0..3 {
            program.keeps(Hook::Ingress, &up(other), &Moves::up(Reason::Observed, 1000));
            let moves = member(Reason::Observed, HOST, Fate::Passed);
            program.keeps(Hook::Ingress, &up(HOST), &moves);
        }
    });
}

#[test]
fn overhead_counts_for_every_wire_packet_at_every_level() {
    require_root!();
    with_program(Side::Far, |program| {
        let overhead = |rates| LinkLimit { overhead_bytes: 24, ..limits::link(rates) };
        program.set_link(&overhead(Rates::default()));
        program.keeps(Hook::Ingress, &up(HOST), &Moves::up(Reason::NoLimit, 1024));
        program.set_group(&limits::group(GROUP, of_bytes(1000)));
        let limit = limits::within(limits::each(PREFIX, limits::only(2047)), GROUP);
        program.set(&limit);
        let held = |reason, bytes, fate| Moves::up(reason, bytes).held(HOST, PREFIX, fate);
        let conforms = held(Reason::Conforms, 1024, Fate::Passed).group(GROUP, Fate::Passed);
        // With the overhead, two packets fill a burst of 2047 bytes.
        program.keeps(Hook::Ingress, &up(HOST), &conforms);
        program.keeps(Hook::Ingress, &up(HOST), &conforms);
        let refused = held(Reason::HostBytes, 1024, Fate::Excess);
        program.keeps(Hook::Ingress, &up(HOST), &refused);
        let state = program.host(HOST).expect("it was made");
        assert_eq!((state.up.passed.bytes, state.up.excess.bytes), (2048, 1024));
        assert_eq!(program.counters().groups[0].up.passed.bytes, 2048);
        // 40 bytes of headers and 3000 of payload in three segments.
        let merged = Frame::tcp(OTHER, PEER).layer3_bytes(3040).bytes();
        let segments = Segments { size_bytes: 1448, count: 3 };
        let moves = Moves::up(Reason::Conforms, 3000 + 3 * (40 + 24)).segments(segments, 3);
        let moves = moves.held(OTHER, PREFIX, Fate::Passed).group(GROUP, Fate::Passed);
        program.keeps(Hook::Ingress, &merged, &moves);
        // The link's own bucket is charged with it as well.
        program.set_link(&overhead(limits::only(2047)));
        let other = up("172.16.0.1");
        program.keeps(Hook::Ingress, &other, &Moves::up(Reason::NoLimit, 1024));
        program.keeps(Hook::Ingress, &other, &Moves::up(Reason::NoLimit, 1024));
        program.keeps(Hook::Ingress, &other, &Moves::up(Reason::LinkBytes, 1024));
        // What is no IP packet has none: nobody knows what it is made of.
        let mut arp = up(HOST);
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        program.keeps(Hook::Ingress, &arp, &Moves::up(Reason::NotIp, 1014));
    });
}

#[test]
fn a_link_whose_limit_is_gone_is_held_to_that_of_nobody_else() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set_link(&limits::link(of_packets(1)));
        program.set_link(&LinkLimit::default());
        // As many groups as there can be limits: one of them gets what the link's has left.
        for number in 0..64 {
            program.set_group(&limits::group(&format!("g{number}"), of_packets(1)));
        }
        for _ in 0..4 {
            program.keeps(Hook::Ingress, &up(HOST), &Moves::up(Reason::NoLimit, 1000));
        }
        assert_eq!(program.datapath().link_limit("lo"), Some(LinkLimit::default()));
        program.restart();
        assert_eq!(program.datapath().link_limit("lo"), Some(LinkLimit::default()));
    });
}
