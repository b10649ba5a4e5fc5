//! Host, group and link in one pass: which level refuses, and that no other one is charged then.

mod groups;
mod links;

use throttle_agent::datapath::Change;
use throttle_agent::policy::{Group, LinkLimit, PacketRate, ParentAction, Rates};
use throttle_common::abi::{Hook, Side};
use throttle_common::units::Span;
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Fate, Moves, Program, Segments, limits, sound, with_program};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const OTHER: &str = "10.0.0.2";
const PEER: &str = "192.0.2.7";
const PREFIX: &str = "10.0.0.0/24";
const GROUP: &str = "acme";

/// So many packets of 1000 bytes at once; each lasts ten seconds.
fn of_bytes(packets: u64) -> Rates {
    limits::rated(800, packets * 1000)
}

/// So many packets at once; each lasts ten seconds.
fn of_packets(packets: u64) -> Rates {
    let refill = Span::from_nanoseconds(packets * 10_000_000_000);
    Rates { bytes: None, packets: Some(PacketRate::refilled(packets, refill)) }
}

fn up(host: &str) -> Vec<u8> {
    Frame::udp(host, PEER).bytes()
}

fn down(host: &str) -> Vec<u8> {
    Frame::udp(PEER, host).bytes()
}

/// A packet that the host's limit and its group count.
fn member<'a>(reason: Reason, host: &'a str, fate: Fate) -> Moves<'a> {
    Moves::up(reason, 1000).held(host, PREFIX, fate).group(GROUP, fate)
}

/// A packet that a level other than the group refuses.
fn refused<'a>(reason: Reason, host: &'a str) -> Moves<'a> {
    Moves::up(reason, 1000).held(host, PREFIX, Fate::Excess)
}

fn conform(program: &mut Program, host: &str, packets: usize) {
    for _ in 0..packets {
        let moves = member(Reason::Conforms, host, Fate::Passed);
        program.keeps(Hook::Ingress, &up(host), &moves);
    }
}

#[test]
fn a_packet_passes_every_level_or_is_charged_to_none() {
    require_root!();
    let bytes = [Reason::HostBytes, Reason::GroupBytes, Reason::LinkBytes];
    let packets = [Reason::HostPackets, Reason::GroupPackets, Reason::LinkPackets];
    for (rates, [by_host, by_group, by_link]) in
        [(of_bytes as fn(u64) -> Rates, bytes), (of_packets, packets)]
    {
        with_program(Side::Far, |program| {
            program.set_group(&limits::group(GROUP, rates(2)));
            program.set(&limits::within(limits::each(PREFIX, rates(5)), GROUP));
            program.set_link(&limits::link(rates(10)));
            // A burst, and the packet that overshoots it.
            conform(program, HOST, 3);
            for _ in 0..4 {
                let moves = member(by_group, HOST, Fate::Excess);
                program.keeps(Hook::Ingress, &up(HOST), &moves);
            }
            let group = program.counters().groups[0].clone();
            assert!((9..=10).contains(&(group.up.wait_ns / 1_000_000_000)), "{group:?}");
            assert_eq!(program.host(HOST).expect("it was made").up.wait_ns, 0);
            // The host has as much room left as if the group had never refused a packet.
            program.set_group(&limits::group(GROUP, rates(100)));
            conform(program, HOST, 3);
            for _ in 0..4 {
                program.keeps(Hook::Ingress, &up(HOST), &refused(by_host, HOST));
            }
            // The link has seen 6 packets that passed, and takes 5 more.
            conform(program, OTHER, 5);
            for _ in 0..4 {
                program.keeps(Hook::Ingress, &up(OTHER), &refused(by_link, OTHER));
            }
            program.set_link(&LinkLimit::default());
            conform(program, OTHER, 1);
            program.keeps(Hook::Ingress, &up(OTHER), &refused(by_host, OTHER));
            // The group has seen 12 packets that passed: it takes one more with a burst of 12.
            program.set_group(&limits::group(GROUP, rates(12)));
            conform(program, "10.0.0.3", 1);
            let moves = member(by_group, "10.0.0.3", Fate::Excess);
            program.keeps(Hook::Ingress, &up("10.0.0.3"), &moves);
        });
    }
}

#[test]
fn a_total_at_group_or_link_holds_both_directions_together() {
    require_root!();
    let totals = [
        (of_bytes(1), Reason::GroupBytes, Reason::LinkBytes),
        (of_packets(1), Reason::GroupPackets, Reason::LinkPackets),
    ];
    for (total, by_group, by_link) in totals {
        with_program(Side::Far, |program| {
            let none = Rates::default();
            let group = limits::group(GROUP, none);
            program.set_group(&Group { total, ..group.clone() });
            let wide = limits::rated(1_000_000_000, 1 << 20);
            program.set(&limits::within(limits::each(PREFIX, wide), GROUP));
            conform(program, HOST, 1);
            let received = |reason, fate| {
                Moves::down(reason, 1000).held(OTHER, PREFIX, fate).group(GROUP, fate)
            };
            let conforms = received(Reason::Conforms, Fate::Passed);
            program.keeps(Hook::Egress, &down(OTHER), &conforms);
            let moves = member(by_group, HOST, Fate::Excess);
            program.keeps(Hook::Ingress, &up(HOST), &moves);
            program.keeps(Hook::Egress, &down(OTHER), &received(by_group, Fate::Excess));
            program.set_group(&group);
            program.set_link(&LinkLimit { total, ..LinkLimit::default() });
            conform(program, HOST, 1);
            program.keeps(Hook::Egress, &down(OTHER), &conforms);
            program.keeps(Hook::Ingress, &up(HOST), &refused(by_link, HOST));
            let moves = Moves::down(by_link, 1000).held(OTHER, PREFIX, Fate::Excess);
            program.keeps(Hook::Egress, &down(OTHER), &moves);
        });
    }
}

#[test]
fn a_changed_group_or_link_keeps_its_debt_and_counters() {
    require_root!();
    with_program(Side::Far, |program| {
        let (group, link) = (limits::group(GROUP, of_bytes(1)), limits::link(of_bytes(5)));
        assert_eq!(sound(program.datapath().set_group(&group)), Change::Created);
        assert_eq!(sound(program.datapath().set_group(&group)), Change::Unchanged);
        let datapath = program.datapath();
        assert_eq!(sound(datapath.set_link_limit("lo", &link)), Change::Created);
        assert_eq!(sound(datapath.set_link_limit("lo", &link)), Change::Unchanged);
        assert_eq!(datapath.link_limit("lo").as_ref(), Some(&link));
        program.set(&limits::within(limits::each(PREFIX, of_bytes(100)), GROUP));
        conform(program, HOST, 2);
        // A debt of two packets allows two more of a burst of three, then of one none but one that
        // overshoots it, since it is cut to the burst.
        let wider = limits::group(GROUP, of_bytes(3));
        assert_eq!(sound(program.datapath().set_group(&wider)), Change::Replaced);
        conform(program, HOST, 2);
        let excess = member(Reason::GroupBytes, HOST, Fate::Excess);
        program.keeps(Hook::Ingress, &up(HOST), &excess);
        program.set_group(&group);
        conform(program, HOST, 1);
        program.keeps(Hook::Ingress, &up(HOST), &excess);
        let counted = &program.counters().groups[0];
        assert_eq!((counted.up.passed.packets, counted.up.excess.packets), (5, 2));
        assert_eq!(program.datapath().groups(), std::slice::from_ref(&group));
        // The link owes five packets by now: one more overshoots its burst.
        program.set_group(&limits::group(GROUP, of_bytes(100)));
        conform(program, HOST, 1);
        program.keeps(Hook::Ingress, &up(HOST), &refused(Reason::LinkBytes, HOST));
        program.set_link(&limits::link(of_bytes(7)));
        conform(program, HOST, 2);
        program.keeps(Hook::Ingress, &up(HOST), &refused(Reason::LinkBytes, HOST));
    });
}

#[test]
fn groups_and_links_are_adopted_after_a_restart() {
    require_root!();
    with_program(Side::Far, |program| {
        let group =
            Group { action: ParentAction::Observe, ..limits::group("one", limits::packets(9)) };
        let groups = [limits::group(GROUP, of_bytes(2)), group];
        groups.iter().for_each(|group| program.set_group(group));
        let link = LinkLimit { overhead_bytes: 10, ..limits::link(of_bytes(2)) };
        program.set_link(&link);
        let limit = limits::within(limits::each(PREFIX, of_bytes(100)), GROUP);
        program.set(&limit);
        program.set(&limits::peer("192.0.2.9/32"));
        // A debt of six minutes, which a slow restart does not outlast: every four bytes of payload have headers.
        let merged = Frame::tcp(HOST, PEER).layer3_bytes(3040).bytes();
        program.run_segments(Hook::Ingress, &merged, Segments { size_bytes: 4, count: 750 });
        program.restart();
        assert_eq!(program.datapath().groups(), groups);
        assert_eq!(program.datapath().link_limit("lo"), Some(link));
        let limits = program.datapath().limits();
        assert_eq!(limits, [limit, limits::peer("192.0.2.9/32")]);
        let moves = Moves::up(Reason::GroupBytes, 1010).held(HOST, PREFIX, Fate::Excess);
        program.keeps(Hook::Ingress, &up(HOST), &moves.group(GROUP, Fate::Excess));
        let sent = Frame::udp(HOST, "192.0.2.9").bytes();
        program.keeps(Hook::Ingress, &sent, &Moves::up(Reason::ExemptPeer, 1010));
        let other = up("172.16.0.1");
        program.keeps(Hook::Ingress, &other, &Moves::up(Reason::LinkBytes, 1010));
    });
}
