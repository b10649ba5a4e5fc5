//! What each action does to a packet, and what it moves: verdict, bytes, mark, departure time, counters.

use std::net::IpAddr;

use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Fate, Moves, Program, Segments, limits, with_capacity, with_program};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const PEER: &str = "192.0.2.7";
const PEER6: &str = "2001:db8::7";
const PREFIX: &str = "10.0.0.0/24";

/// The packet as it is, behind one and two VLAN tags, and inside a PPPoE session.
fn wrapped(frame: &Frame, is_ipv4: bool) -> [Frame; 4] {
    let ppp = if is_ipv4 { [0, 0x21] } else { [0, 0x57] };
    let tagged = frame.clone().tag(0x8100, 5);
    [frame.clone(), tagged.clone(), tagged.tag(0x88a8, 9), frame.clone().pppoe(&ppp)]
}

/// Every wrapping of a packet with this traffic class, each of a host of its own, and the prefix that
/// is to hold the host, which others of the same `round` share.
fn of_many_hosts(round: u8, class: u8) -> Vec<(Frame, String, String)> {
    let mut frames = Vec::new();
    for number in 0..4 {
        for (host, peer, prefix) in [
            (format!("10.0.{round}.{number}"), PEER, format!("10.0.{round}.0/24")),
            (format!("fd00:0:{round}:{number}::"), PEER6, format!("fd00:0:{round}::/48")),
        ] {
            let frame = Frame::udp(&host, peer).class(class);
            let is_ipv4 = host.parse::<IpAddr>().expect("an address").is_ipv4();
            frames.push((wrapped(&frame, is_ipv4)[number].clone(), host, prefix));
        }
    }
    frames
}

fn run(program: &mut Program, frame: &Frame, times: usize) {
    for _ in 0..times {
        program.run(Hook::Ingress, &frame.bytes());
    }
}

#[test]
fn drop_refuses_excess_and_changes_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each(PREFIX, limits::bytes(1)));
        let sent = Frame::udp(HOST, PEER).class(2).bytes();
        let held = |reason, fate| Moves::up(reason, 1000).held(HOST, PREFIX, fate);
        program.keeps(Hook::Ingress, &sent, &held(Reason::Conforms, Fate::Passed));
        program.keeps(Hook::Ingress, &sent, &held(Reason::HostBytes, Fate::Excess));
        let received = Frame::udp(PEER, HOST).class(2).bytes();
        let held = |reason, fate| Moves::down(reason, 1000).held(HOST, PREFIX, fate);
        program.keeps(Hook::Egress, &received, &held(Reason::Conforms, Fate::Passed));
        program.keeps(Hook::Egress, &received, &held(Reason::HostBytes, Fate::Excess));
    });
}

#[test]
fn ecn_marks_willing_senders_from_half_of_the_burst_on_and_drops_beyond_it() {
    require_root!();
    const NOT_ECT: u8 = 0;
    const CE: u8 = 3;
    with_program(Side::Far, |program| {
        for ecn in [NOT_ECT, 1, 2, CE] {
            let class = 46 << 2 | ecn;
            let is_willing = ecn == 1 || ecn == 2;
            for (frame, host, prefix) in of_many_hosts(ecn, class) {
                let limit = limits::each(&prefix, limits::rated(800, 10_000));
                program.set(&limits::acting(limit, "ecn"));
                let moves = |reason, fate| Moves::up(reason, 1000).held(&host, &prefix, fate);
                let conforms = moves(Reason::Conforms, Fate::Passed);
                let sent = frame.bytes();
                // The sixth finds a debt of half of the burst, no more.
                run(program, &frame, 5);
                program.keeps(Hook::Ingress, &sent, &conforms);
                for _ in 0..5 {
                    if is_willing {
                        let moves = moves(Reason::EcnMarked, Fate::Passed);
                        let outcome = program.moves(Hook::Ingress, &sent, &moves);
                        let marked = frame.clone().class(class | CE).bytes();
                        assert_eq!(outcome.bytes, marked, "{frame:?}");
                        assert_eq!((outcome.mark, outcome.departs_ns), (0, 0));
                    } else {
                        program.keeps(Hook::Ingress, &sent, &conforms);
                    }
                }
                let excess = moves(Reason::HostBytes, Fate::Excess);
                program.keeps(Hook::Ingress, &sent, &excess);
            }
        }
    });
}

#[test]
fn ecn_marks_by_the_packet_bucket_and_by_shared_buckets_too() {
    require_root!();
    with_program(Side::Far, |program| {
        let host = limits::acting(limits::each(PREFIX, limits::packets(4)), "ecn");
        let shared = limits::acting(limits::shared("10.0.1.0/24", limits::packets(4)), "ecn");
        program.set(&host);
        program.set(&shared);
        for (host, prefix, refused) in [
            (HOST, PREFIX, Reason::HostPackets),
            ("10.0.1.1", "10.0.1.0/24", Reason::SharedPackets),
        ] {
            let frame = Frame::tcp(host, PEER).class(2);
            run(program, &frame, 3);
            let moves = Moves::up(Reason::EcnMarked, 1000).held(host, prefix, Fate::Passed);
            for _ in 0..2 {
                let outcome = program.moves(Hook::Ingress, &frame.bytes(), &moves);
                assert_eq!(outcome.bytes, frame.clone().class(3).bytes());
            }
            let moves = Moves::up(refused, 1000).held(host, prefix, Fate::Excess);
            program.keeps(Hook::Ingress, &frame.bytes(), &moves);
        }
    });
}

#[test]
fn dscp_changes_the_class_of_excess_and_nothing_else() {
    require_root!();
    with_program(Side::Far, |program| {
        for ecn in 0..4 {
            for (frame, host, prefix) in of_many_hosts(ecn, 46 << 2 | ecn) {
                let limit = limits::each(&prefix, limits::rated(800, 1));
                program.set(&limits::acting(limit, "dscp:af11"));
                let moves = |reason, fate| Moves::up(reason, 1000).held(&host, &prefix, fate);
                let sent = frame.bytes();
                program.keeps(Hook::Ingress, &sent, &moves(Reason::Conforms, Fate::Passed));
                let marked = moves(Reason::DscpMarked, Fate::Excess);
                let outcome = program.moves(Hook::Ingress, &sent, &marked);
                assert_eq!(outcome.bytes, frame.clone().class(10 << 2 | ecn).bytes());
                assert_eq!((outcome.mark, outcome.departs_ns), (0, 0));
            }
        }
    });
}

#[test]
fn dscp_knows_every_name_and_number() {
    require_root!();
    with_program(Side::Far, |program| {
        let classes = [
            ("cs0", 0),
            ("be", 0),
            ("cs1", 8),
            ("cs2", 16),
            ("cs3", 24),
            ("cs4", 32),
            ("cs5", 40),
            ("cs6", 48),
            ("cs7", 56),
            ("af11", 10),
            ("af12", 12),
            ("af13", 14),
            ("af21", 18),
            ("af22", 20),
            ("af23", 22),
            ("af31", 26),
            ("af32", 28),
            ("af33", 30),
            ("af41", 34),
            ("af42", 36),
            ("af43", 38),
            ("ef", 46),
            ("va", 44),
            ("le", 1),
            ("0", 0),
            ("7", 7),
            ("63", 63),
        ];
        for (number, (name, value)) in classes.into_iter().enumerate() {
            let limit = limits::each(&format!("10.0.{number}.0/24"), limits::bytes(1));
            program.set(&limits::acting(limit, &format!("dscp:{name}")));
            let frame = Frame::udp(&format!("10.0.{number}.1"), PEER).class(5 << 2 | 1);
            program.run(Hook::Ingress, &frame.bytes());
            let outcome = program.treat(Hook::Ingress, &frame.bytes(), Segments::default());
            assert_eq!(outcome.bytes, frame.class(value << 2 | 1).bytes(), "{name}");
        }
    });
}

#[test]
fn mark_marks_excess_alone() {
    require_root!();
    with_program(Side::Far, |program| {
        for (number, (action, mark)) in
            [("mark:7", 7), ("mark:0x10", 16), ("mark:4294967295", u32::MAX)]
                .into_iter()
                .enumerate()
        {
            let (prefix, host) = (format!("10.0.{number}.0/24"), format!("10.0.{number}.1"));
            program.set(&limits::acting(limits::each(&prefix, limits::bytes(1)), action));
            let sent = Frame::udp(&host, PEER).class(2).bytes();
            let moves = |reason, fate| Moves::up(reason, 1000).held(&host, &prefix, fate);
            program.keeps(Hook::Ingress, &sent, &moves(Reason::Conforms, Fate::Passed));
            for _ in 0..3 {
                let moves = moves(Reason::SkbMarked, Fate::Excess);
                let outcome = program.moves(Hook::Ingress, &sent, &moves);
                assert_eq!((outcome.mark, outcome.departs_ns), (mark, 0));
                assert_eq!(outcome.bytes, sent, "a mark changes no byte");
            }
        }
    });
}

#[test]
fn excess_that_passes_is_charged_to_the_parents_but_not_to_the_full_bucket() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set_group(&limits::group("acme", limits::rated(800, 3000)));
        for (number, action) in ["dscp:le", "mark:7", "observe"].into_iter().enumerate() {
            let (prefix, host) = (format!("10.0.{number}.0/24"), format!("10.0.{number}.1"));
            let limit = limits::acting(limits::each(&prefix, limits::bytes(1)), action);
            program.set(&limits::within(limit, "acme"));
            let sent = Frame::udp(&host, PEER).bytes();
            for _ in 0..50 {
                program.treat(Hook::Ingress, &sent, Segments::default());
            }
            let state = program.host(&host).expect("the host was made");
            assert!(state.up.wait_ns <= 1_000_000_000, "excess was charged: {}", state.up.wait_ns);
            let group = program.counters().groups[0].up;
            assert_eq!(group.passed.packets, 4, "the group's burst and what overshoots it");
            assert_eq!(group.excess.packets, 46 + 50 * number as u64);
        }
    });
}

#[test]
fn pace_polices_where_packets_cannot_wait() {
    require_root!();
    with_program(Side::Far, |program| {
        for (number, action) in ["pace", "pace:1ms"].into_iter().enumerate() {
            let (prefix, host) = (format!("10.0.{number}.0/24"), format!("10.0.{number}.1"));
            program.set(&limits::acting(limits::each(&prefix, limits::rated(800, 2000)), action));
            assert_eq!(program.datapath().links()[0].pace_ready, Some(false), "lo has no fq");
            let (sent, received) = (Frame::udp(&host, PEER), Frame::udp(PEER, &host));
            for (hook, direction, frame) in
                [(Hook::Ingress, Direction::Up, sent), (Hook::Egress, Direction::Down, received)]
            {
                let frame = frame.class(2).bytes();
                let moves =
                    |reason, fate| Moves::new(direction, reason, 1000).held(&host, &prefix, fate);
                for _ in 0..3 {
                    program.keeps(hook, &frame, &moves(Reason::Conforms, Fate::Passed));
                }
                program.keeps(hook, &frame, &moves(Reason::HostBytes, Fate::Excess));
            }
        }
    });
}

#[test]
fn observe_counts_excess_and_refuses_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        let kinds = [limits::bytes(1), limits::packets(0)];
        for (number, rates) in kinds.into_iter().enumerate() {
            let (prefix, host) = (format!("10.0.{number}.0/24"), format!("10.0.{number}.1"));
            program.set(&limits::acting(limits::each(&prefix, rates), "observe"));
            let sent = Frame::udp(&host, PEER).class(2).bytes();
            let moves = |reason, fate| Moves::up(reason, 1000).held(&host, &prefix, fate);
            program.keeps(Hook::Ingress, &sent, &moves(Reason::Conforms, Fate::Passed));
            for _ in 0..20 {
                program.keeps(Hook::Ingress, &sent, &moves(Reason::Observed, Fate::Excess));
            }
        }
    });
}

#[test]
fn hosts_without_room_in_the_table_are_treated_by_the_action_too() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        program.set(&limits::each("10.9.0.0/16", limits::rated(8_000_000_000, 1)));
        for number in 0..256 {
            program.run(Hook::Ingress, &Frame::udp(&format!("10.9.0.{number}"), PEER).bytes());
        }
        let mut full = |number: usize, action: &str, burst_bytes| {
            let prefix = format!("10.0.{number}.0/24");
            let limit = limits::each(&prefix, limits::rated(800, burst_bytes));
            program.set(&limits::acting(limit, action));
            let frame = Frame::udp(&format!("10.0.{number}.1"), PEER).class(2);
            let sent = frame.bytes();
            let moves = |reason, fate| Moves::up(reason, 1000).overflows(&prefix, fate);
            program.keeps(Hook::Ingress, &sent, &moves(Reason::OverflowConforms, Fate::Passed));
            let (reason, fate) = match action {
                "drop" | "pace" => (Reason::OverflowBytes, Fate::Excess),
                "ecn" => (Reason::EcnMarked, Fate::Passed),
                "dscp:le" => (Reason::DscpMarked, Fate::Excess),
                "mark:9" => (Reason::SkbMarked, Fate::Excess),
                "observe" => (Reason::Observed, Fate::Excess),
                other => panic!("{other}"),
            };
            let outcome = program.moves(Hook::Ingress, &sent, &moves(reason, fate));
            (frame, outcome)
        };
        for (number, action) in ["drop", "pace", "observe"].into_iter().enumerate() {
            let (frame, outcome) = full(number, action, 1);
            assert_eq!((outcome.bytes, outcome.mark), (frame.bytes(), 0));
        }
        let (frame, outcome) = full(10, "ecn", 1000);
        assert_eq!(outcome.bytes, frame.class(3).bytes());
        let (frame, outcome) = full(11, "dscp:le", 1);
        assert_eq!(outcome.bytes, frame.class(1 << 2 | 2).bytes());
        assert_eq!(full(12, "mark:9", 1).1.mark, 9);
    });
}
