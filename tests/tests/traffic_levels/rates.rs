//! Other ways to say a rate: a size or packets per time, units, overhead, and a burst granted once.

use std::time::Duration;

use throttle_tests::audit::{self, Audit};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::measure::Rate;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::scenario::{each_flood, ends};
use throttle_tests::traffic::{Case, Family, MBIT};

use super::{
    HOST, LIMIT, OFFERED, TOLERANCE, WINDOW, allowed, every_case, limit_host, name, within,
};

#[test]
fn a_one_time_burst_is_granted_once() {
    require_root!();
    const ONCE: u64 = 2 << 20;
    let lab = Lab::new().unwrap();
    let rate = MBIT;
    for family in Family::ALL {
        let words = "--up 1mbit --down 1mbit --burst 64kib --one-time-burst 2mib";
        lab.limit_set(&format!("{} {words}", HOST.prefix(family))).unwrap();
    }
    // Not measured again when missed: it is granted once.
    for (granted, tolerance) in [(ONCE, TOLERANCE), (0, 5.0)] {
        let floods =
            audit::floods(&lab, (HOST, End::Server), &Case::ALL, Duration::ZERO, |flood| {
                flood.rate(OFFERED)
            });
        for Audit { entry, offered, .. } in floods.unwrap() {
            let passed = entry.arrived_bytes as f64;
            // The bucket is full and earns nothing while the grant lasts.
            let unearned = granted as f64 * rate as f64 / OFFERED as f64;
            let expected = granted as f64 - unearned + allowed(rate, &offered);
            let bar = Bar::Within(tolerance);
            let reading = Reading::new(entry.case.to_string(), passed, expected, "byte", bar);
            println!("{reading}");
            assert!(reading.holds(), "{reading}, granted {granted}");
        }
        // The bucket is empty again, and grants its own burst.
        std::thread::sleep(Duration::from_millis(700));
    }
}

#[test]
fn rates_are_taken_as_an_amount_per_time() {
    require_root!();
    let lab = Lab::new().unwrap();
    let set = |host: End, words: &str| {
        for family in Family::ALL {
            lab.limit_set(&format!("{} {words}", host.prefix(family))).unwrap();
        }
    };
    let [bytes, packets, units] = [0, 1, 2].map(End::host);
    set(bytes, "--up 128kib/100ms --down 128kib/100ms");
    set(packets, "--up-pps 10/10ms --down-pps 10/10ms");
    // A packet of 1400 bytes is three units.
    set(units, "--up-pps 3000 --down-pps 3000 --packet-unit 500b");
    // Ten packets are a small burst: few senders at once, or a late one misses its due.
    let [up, .., down] = Case::ALL.map(|case| (packets, case));
    for flows in [every_case(&[bytes, units]), vec![up, down]] {
        assert_holds(|| {
            let flood = |&(host, Case { direction, family }): &(End, Case)| {
                let (from, to) = ends(host, End::Server, direction);
                let length = if host == bytes { 1500 } else { 1400 };
                Flood::new(&lab.router, from, to, family).length(length).rate(OFFERED)
            };
            let rates = each_flood(&lab.router, flows.iter().map(flood).collect(), WINDOW)?;
            let reading = |(flow, rate): (&(End, Case), Rate)| {
                if flow.0 == bytes {
                    return within(&name(flow), rate.bits_per_second, (128 << 10) * 8 * 10);
                }
                let bar = Bar::Within(TOLERANCE);
                Reading::new(name(flow), rate.packets_per_second, 1000.0, "packet/s", bar)
            };
            Ok(flows.iter().zip(rates).map(reading).collect())
        });
    }
}

#[test]
fn the_overhead_of_a_link_counts_for_every_packet() {
    require_root!();
    let lab = Lab::new().unwrap();
    limit_host(&lab, "");
    lab.agent.done("link set lan0 --overhead 38").unwrap();
    let (length, overhead) = (162, 38);
    assert_holds(|| {
        let audits = audit::floods(&lab, (HOST, End::Server), &Case::ALL, WINDOW, |flood| {
            flood.length(length).rate(OFFERED)
        })?;
        let expected = LIMIT * length / (length + overhead);
        Ok(audits.iter().map(|audit| audit.reading(expected, TOLERANCE)).collect())
    });
}
