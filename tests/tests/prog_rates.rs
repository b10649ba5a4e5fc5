//! Bursts that are granted once, and rates given by what is refilled in a time.

use std::thread::sleep;
use std::time::Duration;

use throttle_agent::policy::{ByteRate, Limit, PacketRate, Rates, Scope};
use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::units::{Size, Span};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, Verdict, limits, with_program};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const PEER: &str = "192.0.2.7";
const PREFIX: &str = "10.0.0.0/24";

/// The same limit, granting 5000 bytes once.
fn granting(limit: Limit) -> Limit {
    Limit { one_time_burst: Some(Size::from_bytes(5000)), ..limit }
}

/// How many of so many packets pass.
fn passing(program: &mut Program, hook: Hook, host: &str) -> usize {
    let frame = match hook {
        Hook::Ingress => Frame::udp(host, PEER).bytes(),
        Hook::Egress => Frame::udp(PEER, host).bytes(),
    };
    (0..30).filter(|_| program.run(hook, &frame) == Verdict::Pass).count()
}

fn up(program: &mut Program, host: &str) -> usize {
    passing(program, Hook::Ingress, host)
}

/// What is granted, and the packet that overshoots the burst.
const GRANTED: usize = 5 + 1;

#[test]
fn a_one_time_burst_is_granted_once_to_each_host_and_direction() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&granting(limits::each(PREFIX, limits::rated(800, 1))));
        for host in [HOST, "10.0.0.2"] {
            assert_eq!(up(program, host), GRANTED);
            assert_eq!(passing(program, Hook::Egress, host), GRANTED);
            assert_eq!(up(program, host), 0);
            assert_eq!(passing(program, Hook::Egress, host), 0);
        }
        let state = program.host(HOST).expect("it was made");
        assert!((9..=10).contains(&(state.up.wait_ns / 1_000_000_000)), "{}", state.up.wait_ns);
    });
}

#[test]
fn a_pause_or_a_change_of_other_limits_earns_no_second_grant() {
    require_root!();
    with_program(Side::Far, |program| {
        // 1000 bytes last 0.2 seconds.
        let limit = granting(limits::each(PREFIX, limits::rated(40_000, 1)));
        program.set(&limit);
        assert_eq!(up(program, HOST), GRANTED);
        sleep(Duration::from_millis(300));
        assert_eq!(up(program, HOST), 1, "a pause refills the burst alone");
        // The same limit, and another one, change nothing.
        program.set(&limit);
        program.set(&limits::each("10.1.0.0/24", limits::bytes(1)));
        assert_eq!(up(program, HOST), 0);
        sleep(Duration::from_millis(300));
        assert_eq!(up(program, HOST), 1);
        let before = program.datapath().limits();
        program.restart();
        assert_eq!(program.datapath().limits(), before);
        assert!(up(program, HOST) <= 1, "a restart grants nothing");
    });
}

#[test]
fn a_limit_that_is_set_again_grants_again() {
    require_root!();
    with_program(Side::Far, |program| {
        let limit = granting(limits::each(PREFIX, limits::rated(800, 1)));
        program.set(&limit);
        assert_eq!(up(program, HOST), GRANTED);
        // The debt of 1000 bytes is cut to the new burst, and then paid by the grant.
        program.set(&granting(limits::each(PREFIX, limits::rated(800, 2))));
        assert_eq!(up(program, HOST), GRANTED);
        assert_eq!(up(program, HOST), 0);
        program.delete(PREFIX);
        program.set(&limit);
        assert_eq!(up(program, HOST), GRANTED);
        assert_eq!(up(program, HOST), 0);
    });
}

#[test]
fn a_total_is_granted_once_with_the_first_packet_of_either_direction() {
    require_root!();
    let limit = |burst| granting(limits::total(PREFIX, limits::rated(800, burst)));
    let shared = |burst| Limit { scope: Scope::Shared, ..limit(burst) };
    for limit in [&limit as &(dyn Fn(u64) -> Limit + Sync), &shared] {
        with_program(Side::Far, |program| {
            for (first, second) in [(Hook::Ingress, Hook::Egress), (Hook::Egress, Hook::Ingress)] {
                program.set(&limit(1));
                assert_eq!(passing(program, first, HOST), GRANTED, "{first:?}");
                assert_eq!(passing(program, second, HOST), 0, "{second:?} after {first:?}");
                assert_eq!(passing(program, first, HOST), 0, "{first:?} again");
                // The debt of 1000 bytes is cut to the new burst, and then paid by the grant.
                program.set(&limit(2));
                assert_eq!(passing(program, second, HOST), GRANTED, "{second:?}, set again");
                assert_eq!(passing(program, first, HOST), 0, "{first:?} after {second:?}");
                program.delete(PREFIX);
            }
        });
    }
}

#[test]
fn a_changed_limit_cuts_the_debt_of_each_direction_whichever_is_used_first() {
    require_root!();
    with_program(Side::Far, |program| {
        // Bytes together, packets by direction: of the buckets of `up`, both directions use one.
        let limit = |burst| {
            let time = Span::from_nanoseconds(burst * 10_000_000_000);
            let packets = Rates { bytes: None, packets: Some(PacketRate::refilled(burst, time)) };
            let total = limits::rated(800, 1 << 20);
            Limit { up: packets, down: packets, ..limits::total(PREFIX, total) }
        };
        for first in [Hook::Egress, Hook::Ingress] {
            let second = if first == Hook::Egress { Hook::Ingress } else { Hook::Egress };
            program.set(&limit(5));
            assert!(passing(program, Hook::Ingress, HOST) > 0);
            assert!(passing(program, Hook::Egress, HOST) > 0);
            program.set(&limit(1));
            assert_eq!(passing(program, first, HOST), 1, "the debt is cut to the burst");
            assert_eq!(passing(program, second, HOST), 1, "of the other direction as well");
        }
    });
}

#[test]
fn a_shared_prefix_is_granted_once_in_all() {
    require_root!();
    with_program(Side::Far, |program| {
        program.set(&granting(limits::shared(PREFIX, limits::rated(800, 1))));
        assert_eq!(up(program, HOST), GRANTED);
        assert_eq!(up(program, "10.0.0.2"), 0);
        assert_eq!(passing(program, Hook::Egress, "10.0.0.3"), GRANTED);
        assert_eq!(passing(program, Hook::Egress, HOST), 0);
        assert_eq!(up(program, "10.0.0.4"), 0);
    });
}

#[test]
fn a_one_time_burst_lifts_no_limit_on_packets() {
    require_root!();
    with_program(Side::Far, |program| {
        let rates = Rates { packets: limits::packets(2).packets, ..limits::rated(800, 1) };
        program.set(&granting(limits::each(PREFIX, rates)));
        assert_eq!(up(program, HOST), 3);
        let frame = Frame::udp(HOST, PEER).bytes();
        let tallies = program.tallies(Direction::Up);
        program.run(Hook::Ingress, &frame);
        let refused = Reason::HostPackets as usize;
        let now = program.tallies(Direction::Up);
        assert_eq!(now[refused].packets, tallies[refused].packets + 1);
    });
}

#[test]
fn a_refill_time_is_the_same_as_its_rate_and_exact() {
    require_root!();
    with_program(Side::Far, |program| {
        let seconds = |seconds: u64| Span::from_nanoseconds(seconds * 1_000_000_000);
        let bytes = |burst, refill| Rates {
            bytes: Some(ByteRate::refilled(Size::from_bytes(burst), refill)),
            packets: None,
        };
        let packets = |burst, refill| Rates {
            bytes: None,
            packets: Some(PacketRate::refilled(burst, refill)),
        };
        // How many pass before one is refused, and what then is the wait, in milliseconds.
        for (number, (rates, passes, wait_ms)) in [
            (limits::rated(800, 3000), 4, 10_000),
            (bytes(3000, seconds(30)), 4, 10_000),
            // 3000 bytes in 70 seconds are no whole number of bits per second.
            (bytes(3000, seconds(70)), 4, 23_333),
            (packets(10, seconds(10)), 11, 1000),
            (packets(20, seconds(14)), 21, 700),
        ]
        .into_iter()
        .enumerate()
        {
            let (prefix, host) = (format!("10.0.{number}.0/24"), format!("10.0.{number}.1"));
            let limit = limits::each(&prefix, rates);
            program.set(&limit);
            assert_eq!(program.datapath().limit(&limit.key()), Some(limit));
            assert_eq!(up(program, &host), passes, "{rates}");
            let found_ms = program.host(&host).expect("it was made").up.wait_ns / 1_000_000;
            // Some time has gone since.
            assert!((wait_ms - 300..=wait_ms).contains(&found_ms), "{rates}: {found_ms} ms");
        }
        // A hundred packets in a second are one in ten milliseconds.
        program.set(&limits::each(PREFIX, packets(1, Span::from_nanoseconds(10_000_000))));
        up(program, HOST);
        sleep(Duration::from_millis(50));
        assert_eq!(program.host(HOST).expect("it was made").up.wait_ns, 0);
    });
}
