//! Limits and counters outlive the agent.

use std::time::{Duration, Instant};

use throttle_tests::agent::Counters;
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::scenario::{SETTLED, ends};
use throttle_tests::traffic::{Direction, Family, MBIT, Transport};

const HOST: End = End::host(0);
// Slow enough for emulated machines.
const LIMIT: u64 = 5 * MBIT;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_killed_and_restarted_agent_leaves_the_limit_in_force_in_every_second() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    for (direction, family) in Direction::ALL.into_iter().zip(Family::ALL) {
        lab.limit(HOST, family, direction, LIMIT).unwrap();
        let (from, to) = ends(HOST, End::Server, direction);
        let meter = Meter::new(lab.router.namespace(to), family, Transport::Udp).unwrap();
        assert_holds(|| {
            let _flood = Flood::new(&lab.router, from, to, family).rate(4 * LIMIT).start()?;
            std::thread::sleep(SETTLED);
            let samples = std::thread::scope(|scope| {
                let sampling = scope.spawn(|| meter.series(SECOND, Instant::now() + 5 * SECOND));
                std::thread::sleep(SECOND + SECOND / 2);
                lab.agent.kill()?;
                std::thread::sleep(SECOND + SECOND / 2);
                lab.agent.restart()?;
                sampling.join().expect("sampling does not panic")
            })?;
            let seconds = samples.windows(2).enumerate().map(|(number, pair)| {
                let rate = pair[1].rate_since(&pair[0]).bits_per_second;
                let what = format!("{direction} {family}, second {number}");
                Reading::new(what, rate, LIMIT as f64, "bit/s", Bar::Within(2.0))
            });
            Ok(seconds.collect())
        });
    }
}

#[test]
fn counters_agree_with_the_receiver_across_a_crash() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    for (direction, family) in Direction::ALL.into_iter().zip(Family::ALL) {
        lab.limit(HOST, family, direction, LIMIT).unwrap();
        let (from, to) = ends(HOST, End::Server, direction);
        let meter = Meter::new(lab.router.namespace(to), family, Transport::Udp).unwrap();
        let (arrived, counted) = (meter.sample().unwrap(), counters(&lab, direction, family));
        let flood = Flood::new(&lab.router, from, to, family).rate(4 * LIMIT).start().unwrap();
        std::thread::sleep(SECOND);
        lab.agent.kill().unwrap();
        std::thread::sleep(SECOND);
        lab.agent.restart().unwrap();
        std::thread::sleep(SECOND);
        let offered = flood.stop();
        // What is on its way between the namespaces settles within a tick.
        std::thread::sleep(SECOND / 10);
        let (arrived_after, counted_after) =
            (meter.sample().unwrap(), counters(&lab, direction, family));
        let passed = counted_after.passed_packets - counted.passed_packets;
        let excess = counted_after.excess_packets - counted.excess_packets;
        assert_eq!(
            passed,
            arrived_after.packets - arrived.packets,
            "passed packets, {direction} {family}"
        );
        assert_eq!(
            counted_after.passed_bytes - counted.passed_bytes,
            arrived_after.bytes - arrived.bytes
        );
        assert_eq!(passed + excess, offered.packets, "all packets, {direction} {family}");
        let bytes =
            counted_after.excess_bytes - counted.excess_bytes + arrived_after.bytes - arrived.bytes;
        assert_eq!(bytes, offered.bytes, "all bytes, {direction} {family}");
    }
}

/// A host that has not sent or received yet has counted nothing.
fn counters(lab: &Lab, direction: Direction, family: Family) -> Counters {
    let words = format!("--json host show {}", HOST.address(family));
    if lab.agent.cli(&words).unwrap().code == Some(3) {
        return Counters::default();
    }
    lab.agent.host(HOST.address(family)).unwrap().of(direction)
}
