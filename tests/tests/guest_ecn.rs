//! Senders that take part in ECN are told of congestion before they lose packets; others gain nothing.

use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::guest::set_qdisc;
use throttle_tests::lab::Lab;
use throttle_tests::require_guest;
use throttle_tests::router::End;
use throttle_tests::scenario::{self, ends};
use throttle_tests::traffic::{Case, Direction, Family, MBIT, rate_argument};

const HOST: End = End::host(0);
const LIMIT: u64 = 5 * MBIT;
/// In seconds of the transfer: when measuring begins, and when it ends.
const WINDOW: [u32; 2] = [1, 6];
/// Percent of the limit: a bucket that is marked early is not full when measuring begins, and may fill up by
/// its burst of 250 ms meanwhile.
const MOST: f64 = 100.0 + 25.0 / (WINDOW[1] - WINDOW[0]) as f64;

#[test]
fn tcp_with_ecn_keeps_its_rate_and_loses_few_packets() {
    require_guest!();
    let lab = lab();
    // The first runs are for comparison.
    let mut dropped = None;
    for action in ["drop", "ecn"] {
        limit(&lab, action);
        assert_holds(|| {
            let mut retransmits = 0;
            let mut readings = Vec::new();
            for direction in Direction::ALL {
                let (sum, found) = transfers(&lab, direction)?;
                retransmits += sum;
                readings.extend(found);
            }
            println!("{action}: {retransmits} retransmits");
            let Some(dropped) = dropped else {
                dropped = Some(retransmits);
                return Ok(readings.into_iter().filter(|found| !is_least(found)).collect());
            };
            let (measured, limit) = (retransmits as f64, f64::max(dropped as f64, 1.0));
            let bar = Bar::AtMost(100.0 / 3.0);
            readings.push(Reading::new("ecn against drop", measured, limit, "retransmits", bar));
            Ok(readings)
        });
    }
    assert!(lab.reason("ecn_marked").unwrap() > 0);
}

#[test]
fn a_flood_that_ignores_marks_gains_nothing() {
    require_guest!();
    let lab = lab();
    limit(&lab, "ecn");
    let flood = |case: &Case| {
        let (from, to) = ends(HOST, End::Server, case.direction);
        let flood = Flood::new(&lab.router, from, to, case.family);
        vec![flood.rate(2 * LIMIT).prepare(claim_ecn)]
    };
    for direction in Direction::ALL {
        let cases = Case::of(direction);
        assert_holds(|| {
            let floods = cases.iter().map(flood).collect();
            let arrivals = scenario::floods(&lab.router, floods, Duration::from_secs(2))?;
            let readings = cases.iter().zip(arrivals).map(|(case, arrival)| {
                let (rate, bar) = (arrival.rate.bits_per_second, Bar::Within(2.0));
                Reading::new(case.to_string(), rate, LIMIT as f64, "bit/s", bar)
            });
            Ok(readings.collect())
        });
    }
    assert!(lab.reason("ecn_marked").unwrap() > 0);
}

/// A path with a round-trip time of 20 ms whose ends use ECN.
fn lab() -> Lab {
    let lab = Lab::new().unwrap();
    set_qdisc(lab.router.namespace(End::Server), "eth0", "netem delay 20ms").unwrap();
    for end in [End::Server, HOST] {
        lab.router.namespace(end).sysctl("ipv4/tcp_ecn", "1").unwrap();
    }
    lab
}

fn limit(lab: &Lab, action: &str) {
    let rate = rate_argument(LIMIT);
    for family in Family::ALL {
        let prefix = HOST.prefix(family);
        lab.limit_set(&format!("{prefix} --up {rate} --down {rate} --action {action}")).unwrap();
    }
}

/// One flow of each IP version; returns the sum of their retransmits.
fn transfers(lab: &Lab, direction: Direction) -> anyhow::Result<(u64, Vec<Reading>)> {
    let cases = Case::of(direction);
    let flows = cases.map(|case| scenario::flow(&lab.router, HOST, case, WINDOW));
    let mut sum = 0;
    let mut readings = Vec::new();
    for (case, (rate, report)) in cases.iter().zip(scenario::transfers(&flows, LIMIT)?) {
        sum += report.retransmits;
        for bar in [Bar::AtLeast(90.0), Bar::AtMost(MOST)] {
            let (rate, limit) = (rate.bits_per_second, LIMIT as f64);
            let note = format!("{} retransmits", report.retransmits);
            let reading = Reading::new(case.to_string(), rate, limit, "bit/s", bar);
            readings.push(reading.with_note(note));
        }
    }
    Ok((sum, readings))
}

fn is_least(reading: &Reading) -> bool {
    matches!(reading.bar, Bar::AtLeast(_))
}

/// ECT(0).
fn claim_ecn(socket: &UdpSocket) -> nix::Result<()> {
    match socket.local_addr() {
        Ok(address) if address.is_ipv4() => setsockopt(socket, sockopt::Ipv4Tos, &2),
        _ => setsockopt(socket, sockopt::Ipv6TClass, &2),
    }
}
