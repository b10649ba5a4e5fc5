//! The host table under attack: how fast it fills, what those without room in it get, who leaves it.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_agent::datapath::Options;
use throttle_agent::policy::Limit;
use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::units::Size;
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, Verdict, limits, sound, with_capacity, with_options};
use throttle_tests::require_root;

const PEER: &str = "192.0.2.7";
const PEER6: &str = "2001:db8::7";

/// Sends a packet of each of so many hosts of a /16; returns how many passed.
fn flood(program: &mut Program, second: u8, hosts: u32) -> u64 {
    let address = |number: u32| format!("10.{second}.{}.{}", number / 256, number % 256);
    let frames = (0..hosts).map(|number| Frame::udp(&address(number), PEER).layer3_bytes(100));
    let passes = |frame: Frame| program.run(Hook::Ingress, &frame.bytes()) == Verdict::Pass;
    frames.map(passes).filter(|passes| *passes).count() as u64
}

#[test]
fn a_flood_fills_half_of_the_table_at_once_and_the_rest_at_a_rate() {
    require_root!();
    // A table of 4096 ways: an eighth is less than the least rate of 1024 hosts per second. One of
    // 16384 ways: an eighth is 2048.
    for (max_hosts, ways, per_second) in [(2048, 4096, 1024), (8192, 16_384, 2048)] {
        with_capacity(Side::Far, max_hosts, |program| {
            assert_eq!(program.counters().hosts_capacity, ways);
            program.set(&limits::each("10.0.0.0/8", limits::only(1)));
            let begun = Instant::now();
            let hosts = ways * 3 / 4;
            let passed = flood(program, 0, hosts as u32);
            let most = |since: Instant| {
                // The coarse clock lags by a timer period, and one host goes beyond the burst.
                ways / 2 + (since.elapsed().as_secs_f64() * per_second as f64) as u64 + 32
            };
            let at_once = program.counters().hosts_tracked;
            assert!((ways / 2..=most(begun)).contains(&at_once), "{at_once} of {ways}");
            let tallies = program.tallies(Direction::Up);
            let overflowing = tallies[Reason::OverflowConforms as usize].packets;
            assert_eq!(passed, at_once + overflowing);
            assert!(overflowing <= 1024, "{overflowing} overflow buckets");
            // A machine so slow that the rate made room for all of them refuses none.
            assert_eq!(overflowing > 0, at_once < hosts, "{overflowing} and {at_once} of {hosts}");
            // What is not refilled yet, a second refills.
            sleep(Duration::from_millis(500));
            flood(program, 1, hosts as u32);
            let later = program.counters().hosts_tracked;
            assert!(later >= at_once + per_second / 2 - 32, "{at_once}, then {later}");
            assert!(later <= most(begun), "{at_once}, then {later}");
        });
    }
}

#[test]
fn overflowing_hosts_of_one_limit_do_not_starve_those_of_another() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        program.set(&limits::each("10.0.0.0/16", limits::only(1)));
        program.set(&limits::each("10.1.0.0/16", limits::rated(8_000_000_000, 1 << 20)));
        program.set(&limits::each("10.2.0.0/16", limits::only(2000)));
        // Every overflow bucket owes a packet.
        let passed = flood(program, 0, 16_384);
        assert_eq!(passed, 8 + 1024, "hosts in the table, and one of each overflow bucket");
        assert_eq!(flood(program, 1, 2000), 2000, "a fast limit is starved by a slow one");
        // One bucket for all of them, since the others are taken: a burst of 2000 bytes, and one packet
        // that overshoots it.
        assert_eq!(flood(program, 2, 2000), 21);
        // The slow limit itself gets nothing more.
        assert_eq!(flood(program, 0, 2000), 0);
    });
}

#[test]
fn hosts_without_room_earn_no_second_grant_from_the_traffic_of_another_limit() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        program.set(&limits::each("10.0.0.0/16", limits::rated(8_000_000_000, 1 << 20)));
        let granting = limits::each("10.1.0.0/16", limits::only(1));
        program.set(&Limit { one_time_burst: Some(Size::from_bytes(5000)), ..granting });
        flood(program, 0, 64);
        let frame = Frame::udp("10.1.0.1", PEER).bytes();
        let mut passed = 0;
        for _ in 0..10 {
            passed +=
                (0..4).filter(|_| program.run(Hook::Ingress, &frame) == Verdict::Pass).count();
            flood(program, 0, 8192);
        }
        // One grant in the bucket that it shares by its hash, one in the limit's own.
        assert!(passed <= 2 * 6, "{passed} packets of 1000 bytes");
    });
}

#[test]
fn a_host_leaves_the_table_once_its_own_limit_is_gone() {
    require_root!();
    with_capacity(Side::Far, 4, |program| {
        let fast = limits::rated(8_000_000_000, 1 << 20);
        for host in ["10.0.0.1/32", "10.0.0.2/32"] {
            program.set(&limits::each(host, fast));
        }
        // One of them is never heard of.
        program.run(Hook::Ingress, &Frame::udp("10.0.0.1", PEER).bytes());
        for host in ["10.0.0.1/32", "10.0.0.2/32"] {
            program.delete(host);
        }
        let idle = Duration::from_millis(100);
        sleep(2 * idle);
        assert_eq!(sound(program.datapath().expire_hosts(idle)), 2);
        assert_eq!(program.counters().hosts_tracked, 0);
    });
}

#[test]
fn a_host_that_sends_or_is_given_a_limit_after_it_was_found_idle_stays() {
    require_root!();
    with_capacity(Side::Far, 64, |program| {
        let fast = limits::rated(8_000_000_000, 1 << 20);
        program.set(&limits::each("10.0.0.0/16", fast));
        let (sends, is_limited, is_idle) = ("10.0.0.1", "10.0.0.2", "10.0.0.3");
        let sent = |host: &str| Frame::udp(host, PEER).bytes();
        for host in [sends, is_limited, is_idle] {
            program.run(Hook::Ingress, &sent(host));
        }
        let idle = Duration::from_secs(1);
        sleep(idle + Duration::from_millis(100));
        let found: Vec<_> = sound(program.datapath().idle_hosts(idle)).collect();
        program.run(Hook::Ingress, &sent(sends));
        program.set(&limits::each(&format!("{is_limited}/32"), fast));
        let forget = |found| sound(program.datapath().forget_hosts(found));
        assert_eq!(found.iter().map(forget).sum::<usize>(), 1);
        assert_eq!(program.host(is_idle).map(|host| host.address), None);
        assert!(program.host(sends).is_some() && program.host(is_limited).is_some());
    });
}

#[test]
fn the_fuller_the_table_the_sooner_idle_hosts_leave_and_some_never_do() {
    require_root!();
    with_capacity(Side::Far, 64, |program| {
        assert_eq!(program.counters().hosts_capacity, 128);
        let fast = limits::rated(8_000_000_000, 1 << 20);
        program.set(&limits::each("10.0.0.0/16", fast));
        program.set(&limits::each("10.1.0.9/32", fast));
        let granting = limits::each("10.2.0.0/24", fast);
        program.set(&Limit { one_time_burst: Some(Size::from_bytes(1)), ..granting });
        program.set(&limits::each("10.3.0.0/24", limits::rated(800, 1)));
        let patience = Duration::from_secs(600);
        let expire = |program: &mut Program| sound(program.datapath().expire_hosts(patience));
        let own = ["10.1.0.9", "10.2.0.1", "10.3.0.1"];
        let sent = |host: &str| Frame::udp(host, PEER).bytes();
        for host in own {
            program.run(Hook::Ingress, &sent(host));
        }
        // 80 of 128 are more than 60 percent.
        flood(program, 0, 77);
        assert_eq!(program.counters().hosts_tracked, 80);
        assert_eq!(expire(program), 0, "none is idle for two seconds");
        sleep(Duration::from_millis(2100));
        program.run(Hook::Ingress, &sent("10.0.0.5"));
        assert_eq!(expire(program), 76, "all but the one that has just been seen");
        let kept: BTreeSet<_> = sound(program.datapath().hosts())
            .into_iter()
            .map(|host| host.address.to_string())
            .collect();
        let expected: BTreeSet<_> =
            own.into_iter().chain(["10.0.0.5"]).map(str::to_owned).collect();
        assert_eq!(kept, expected);
        // With few hosts left, they may be idle as long as was asked for.
        sleep(Duration::from_millis(2100));
        assert_eq!(expire(program), 0);
    });
}

#[test]
fn ipv6_hosts_are_prefixes_of_the_length_that_was_asked_for() {
    require_root!();
    let base = 0xfd00_u128 << 112;
    for bits in [48, 56, 96, 128] {
        let host = |number: u128| Ipv6Addr::from(base | number << (128 - bits));
        let options = Options { ipv6_host_prefix: bits as u8, max_hosts: 4, ..Program::options() };
        with_options(Side::Far, options, |program| {
            assert_eq!(program.datapath().ipv6_host_prefix(), bits as u8);
            program.set(&limits::each("fd00::/16", limits::rated(800, 1)));
            let sent = |from: Ipv6Addr| Frame::udp(&from.to_string(), PEER6).bytes();
            let (up, conforms, refused) = (Direction::Up, Reason::Conforms, Reason::HostBytes);
            for number in 1..=3 {
                program.expect(Hook::Ingress, &sent(host(number)), up, conforms, 1000);
                // The last address of the same host.
                let last =
                    Ipv6Addr::from(u128::from(host(number)) | ((1_u128 << (128 - bits)) - 1));
                program.expect(Hook::Ingress, &sent(last), up, refused, 1000);
                let state = program.host(&last.to_string()).expect("it was made");
                assert_eq!(state.address, host(number));
                assert_eq!((state.up.passed.packets, state.up.excess.packets), (1, 1));
            }
            let listed = |program: &mut Program| -> BTreeSet<_> {
                let hosts = sound(program.datapath().hosts());
                hosts.into_iter().map(|host| host.address).collect()
            };
            assert_eq!(listed(program), (1..=3).map(|number| host(number).into()).collect());
            // A host with a limit of its own finds room in a full table, and no address is lost.
            for number in 0x100..0x140 {
                program.run(Hook::Ingress, &sent(host(number)));
            }
            assert_eq!(listed(program).len(), 8);
            let own = format!("{}/{bits}", host(0x200));
            program.set(&limits::each(&own, limits::rated(800, 1)));
            assert!(listed(program).contains(&host(0x200).into()));
            program.expect(Hook::Ingress, &sent(host(0x200)), up, conforms, 1000);
            program.expect(Hook::Ingress, &sent(host(0x200)), up, refused, 1000);
            for address in listed(program) {
                let state = program.host(&address.to_string()).expect("it is listed");
                assert_eq!(state.address, address);
                assert_eq!(state.up.passed.packets, 1, "{address}");
            }
            if bits != 128 {
                return;
            }
            program.restart();
            assert_eq!(program.datapath().ipv6_host_prefix(), bits as u8);
            assert_eq!(listed(program).len(), 8);
        });
    }
}
