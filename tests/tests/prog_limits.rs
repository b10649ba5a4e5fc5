//! Which bucket a packet is charged to, what a refusal leaves behind, and what a change of policy does.

use std::thread::sleep;
use std::time::Duration;

use throttle_agent::datapath::{Change, Tally};
use throttle_agent::policy::{LimitKey, PacketRate};
use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::units::Span;
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, Segments, Verdict, limits, with_capacity, with_program};
use throttle_tests::require_root;

const PEER: &str = "192.0.2.7";

fn up(host: &str) -> Vec<u8> {
    Frame::udp(host, PEER).bytes()
}

fn down(host: &str) -> Vec<u8> {
    Frame::udp(PEER, host).bytes()
}

#[test]
fn every_host_of_a_prefix_has_its_own_bucket() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("10.0.0.0/24", limits::bytes(1)));
        for host in ["10.0.0.1", "10.0.0.2", "10.0.0.255"] {
            program.expect(Hook::Ingress, &up(host), Direction::Up, Reason::Conforms, 1000);
            program.expect(Hook::Ingress, &up(host), Direction::Up, Reason::HostBytes, 1000);
            let state = program.host(host).expect("the host was made");
            assert_eq!(state.up.passed, Tally { packets: 1, bytes: 1000 });
            assert_eq!(state.up.excess, Tally { packets: 1, bytes: 1000 });
            assert!(state.up.wait_ns > 900_000_000, "{}", state.up.wait_ns);
            assert_eq!(state.down.passed, Tally::default());
        }
    });
}

#[test]
fn an_ipv6_host_is_its_64_bit_prefix() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("fd00::/32", limits::bytes(1)));
        let sent = |from| Frame::udp(from, "2001:db8::1").bytes();
        let (direction, hook) = (Direction::Up, Hook::Ingress);
        program.expect(hook, &sent("fd00:0:0:1::1"), direction, Reason::Conforms, 1000);
        program.expect(hook, &sent("fd00:0:0:1:ffff::9"), direction, Reason::HostBytes, 1000);
        program.expect(hook, &sent("fd00:0:0:2::1"), direction, Reason::Conforms, 1000);
    });
}

#[test]
fn a_shared_prefix_has_one_bucket_and_counts_each_host() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::shared("10.0.0.0/24", limits::bytes(1)));
        program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::Conforms, 1000);
        program.expect(Hook::Ingress, &up("10.0.0.2"), Direction::Up, Reason::SharedBytes, 1000);
        program.expect(Hook::Egress, &down("10.0.0.2"), Direction::Down, Reason::Conforms, 1000);
        let state = program.host("10.0.0.2").expect("the host was made");
        assert_eq!(state.up.excess.packets, 1);
        assert_eq!(state.down.passed.packets, 1);
        assert!(state.up.wait_ns > 0, "the shared bucket's wait is the host's");
        let limit = &program.counters().limits[0];
        assert_eq!((limit.up.passed.packets, limit.up.excess.packets), (1, 1));
        assert_eq!((limit.down.passed.packets, limit.down.excess.packets), (1, 0));
    });
}

#[test]
fn the_longest_prefix_holds_the_host() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("0.0.0.0/0", limits::bytes(1)));
        program.set(&limits::each("10.0.0.0/8", limits::bytes(2000)));
        program.set(&limits::each("10.0.0.7/32", limits::bytes(4000)));
        for (host, prefix, conforming) in [
            ("11.0.0.1", "0.0.0.0/0", 1),
            ("10.0.0.8", "10.0.0.0/8", 3),
            ("10.0.0.7", "10.0.0.7/32", 5),
        ] {
            for _ in 0..conforming {
                program.expect(Hook::Ingress, &up(host), Direction::Up, Reason::Conforms, 1000);
            }
            program.expect(Hook::Ingress, &up(host), Direction::Up, Reason::HostBytes, 1000);
            let held = program.host(host).and_then(|host| host.limit).expect("a limit");
            assert_eq!(held.to_string(), prefix);
        }
    });
}

#[test]
fn the_default_of_one_family_does_not_hold_the_other() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("::/0", limits::bytes(1)));
        let frame = up("10.0.0.1");
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::NoLimit, 1000);
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::NoLimit, 1000);
        let key = LimitKey::host("::/0".parse().unwrap());
        program.datapath().delete_limit(&key).unwrap_or_else(|error| panic!("{error}"));
        program.set(&limits::each("0.0.0.0/0", limits::bytes(1)));
        let frame = Frame::udp("fd00::1", "2001:db8::1").bytes();
        program.expect(Hook::Ingress, &frame, Direction::Up, Reason::NoLimit, 1000);
    });
}

#[test]
fn a_total_charges_both_directions_to_one_bucket() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::total("10.0.0.0/24", limits::bytes(1)));
        program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::Conforms, 1000);
        program.expect(Hook::Egress, &down("10.0.0.1"), Direction::Down, Reason::HostBytes, 1000);
        program.set(&limits::total("10.0.1.0/24", limits::packets(0)));
        program.expect(Hook::Egress, &down("10.0.1.1"), Direction::Down, Reason::Conforms, 1000);
        program.expect(Hook::Ingress, &up("10.0.1.1"), Direction::Up, Reason::HostPackets, 1000);
    });
}

#[test]
fn the_tighter_of_two_buckets_refuses_and_the_other_is_not_charged() {
    require_root!();
    with_program(Side::Far, |program| {
        let mut rates = limits::rated(1_000_000_000, 1 << 20);
        // A packet in 16 seconds, about the slowest that there can be.
        let refill = Span::from_nanoseconds(16_000_000_000);
        rates.packets = Some(PacketRate::refilled(1, refill));
        program.set(&limits::each("10.0.0.0/24", rates));
        for _ in 0..2 {
            program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::Conforms, 1000);
        }
        for _ in 0..50 {
            program.expect(
                Hook::Ingress,
                &up("10.0.0.1"),
                Direction::Up,
                Reason::HostPackets,
                1000,
            );
        }
    });
}

#[test]
fn a_changed_limit_keeps_debt_and_counters() {
    require_root!();
    with_program(Side::Far, |program| {
        let frame = up("10.0.0.1");
        let run = |program: &mut Program, packets: u32| {
            (0..packets).filter(|_| program.run(Hook::Ingress, &frame) == Verdict::Pass).count()
        };
        program.set(&limits::each("10.0.0.0/24", limits::bytes(5_000)));
        assert_eq!(run(program, 20), 6, "the burst, and the packet that overshoots it");
        let mut passed = 6;
        for _ in 0..3 {
            // The debt is cut to the new burst, which lets one packet overshoot it: no fresh burst.
            program.set(&limits::each("10.0.0.0/24", limits::rated(9_000, 5_000)));
            passed += run(program, 20);
            program.set(&limits::each("10.0.0.0/24", limits::bytes(5_000)));
            passed += run(program, 20);
        }
        assert!(passed <= 6 + 6, "{passed} packets passed");
        let state = program.host("10.0.0.1").expect("the host was made");
        assert_eq!(state.up.passed.packets, passed as u64);
        assert_eq!(state.up.passed.packets + state.up.excess.packets, 140);
        let limit = &program.counters().limits[0];
        assert_eq!(limit.up.passed.packets + limit.up.excess.packets, 140);
    });
}

#[test]
fn setting_the_same_limit_again_changes_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        let limit = limits::each("10.0.0.0/24", limits::bytes(1));
        let set = |program: &mut Program| {
            program.datapath().set_limit(&limit).unwrap_or_else(|error| panic!("{error}"))
        };
        assert_eq!(set(program), Change::Created);
        assert_eq!(set(program), Change::Unchanged);
        let wider = limits::each("10.0.0.0/24", limits::bytes(2));
        program.set(&wider);
        assert_eq!(set(program), Change::Replaced);
        assert_eq!(program.datapath().limits(), std::slice::from_ref(&limit));
    });
}

#[test]
fn a_deleted_limit_leaves_the_next_longer_prefix_in_force() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&limits::each("10.0.0.0/8", limits::bytes(1)));
        program.set(&limits::each("10.0.0.0/24", limits::bytes(1 << 20)));
        program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::Conforms, 1000);
        let mut delete = |prefix: &str| {
            let key = LimitKey::host(prefix.parse().expect("a prefix"));
            program.datapath().delete_limit(&key).unwrap_or_else(|error| panic!("{error}"))
        };
        assert!(delete("10.0.0.0/24"));
        assert!(!delete("10.0.0.0/24"), "deleted twice");
        // The debt of 1000 bytes is more than the new burst.
        program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::Conforms, 1000);
        program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::HostBytes, 1000);
    });
}

#[test]
fn hosts_without_room_share_overflow_buckets_and_are_never_unlimited() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        let capacity = program.counters().hosts_capacity;
        program.set(&limits::each("10.0.0.0/16", limits::bytes(1)));
        let mut passed = 0;
        for number in 0..4096 {
            let host = format!("10.0.{}.{}", number / 256, number % 256);
            passed += u64::from(program.run(Hook::Ingress, &up(&host)) == Verdict::Pass);
        }
        let tallies = program.tallies(Direction::Up);
        let tally = |reason: Reason| tallies[reason as usize].packets;
        assert_eq!(tally(Reason::Conforms), capacity, "hosts in the table");
        assert!((1..=1024).contains(&tally(Reason::OverflowConforms)));
        assert_eq!(passed, capacity + tally(Reason::OverflowConforms));
        assert_eq!(tally(Reason::OverflowBytes), 4096 - passed);
        assert_eq!(program.counters().hosts_tracked, capacity);
    });
}

#[test]
fn a_configured_host_has_room_in_a_full_table() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        program.set(&limits::each("10.0.0.0/16", limits::bytes(1)));
        for number in 0..64 {
            program.run(Hook::Ingress, &up(&format!("10.0.1.{number}")));
        }
        program.set(&limits::each("10.0.0.7/32", limits::bytes(1)));
        program.expect(Hook::Ingress, &up("10.0.0.7"), Direction::Up, Reason::Conforms, 1000);
        program.expect(Hook::Ingress, &up("10.0.0.7"), Direction::Up, Reason::HostBytes, 1000);
    });
}

#[test]
fn idle_hosts_that_owe_nothing_make_room_and_configured_ones_stay() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        program.set(&limits::each("10.0.0.0/24", limits::rated(8_000_000, 1)));
        program.set(&limits::each("10.0.1.0/24", limits::bytes(1)));
        program.set(&limits::each("10.0.0.7/32", limits::rated(8_000_000, 1)));
        for host in ["10.0.0.1", "10.0.0.7", "10.0.1.1"] {
            program.expect(Hook::Ingress, &up(host), Direction::Up, Reason::Conforms, 1000);
        }
        sleep(Duration::from_millis(200));
        let expire = |program: &mut Program, idle| {
            program.datapath().expire_hosts(idle).unwrap_or_else(|error| panic!("{error}"))
        };
        assert_eq!(expire(program, Duration::from_secs(60)), 0, "none is idle for so long");
        assert_eq!(expire(program, Duration::from_millis(100)), 1, "one is idle and owes nothing");
        assert!(program.host("10.0.0.1").is_none());
        assert!(program.host("10.0.0.7").is_some(), "it has a limit of its own");
        assert!(program.host("10.0.1.1").is_some(), "it owes a second");
        // Its way rests, and is then as new.
        sleep(Duration::from_millis(1100));
        assert_eq!(expire(program, Duration::from_secs(60)), 0);
        for number in 0..64 {
            program.run(Hook::Ingress, &up(&format!("10.0.0.1{number:02}")));
        }
        let counters = program.counters();
        assert_eq!(counters.hosts_tracked, counters.hosts_capacity);
    });
}

#[test]
fn a_restarted_agent_adopts_limits_debts_and_counters() {
    require_root!();
    with_program(Side::Far, |program| {
        let limits = [
            limits::each("10.0.0.0/24", limits::rated(800, 1)),
            limits::shared("10.0.1.0/24", limits::packets(3)),
            limits::total("fd00::/48", limits::rated(10_000_000, 312_500)),
        ];
        limits.iter().for_each(|limit| program.set(limit));
        // A debt of almost five minutes, which a slow restart does not outlast: each byte of payload has its own headers.
        let (segments, moved) =
            (Segments { size_bytes: 1, count: 972 }, Tally { packets: 972, bytes: 972 * 29 });
        let (sent, conforms) = (up("10.0.0.1"), Reason::Conforms);
        program.expect_segments(Hook::Ingress, &sent, segments, Direction::Up, conforms, moved);
        assert!(!program.datapath().adopted());
        program.restart();
        assert!(program.datapath().adopted());
        assert_eq!(program.datapath().limits(), limits);
        let links = program.datapath().links();
        assert_eq!(links[0].interface.as_deref(), Some("lo"));
        program.expect(Hook::Ingress, &up("10.0.0.1"), Direction::Up, Reason::HostBytes, 1000);
        let state = program.host("10.0.0.1").expect("the host was kept");
        assert_eq!((state.up.passed, state.up.excess.packets), (moved, 1));
    });
}
