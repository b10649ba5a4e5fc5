//! One agent limits on several links, and on either side of the router.

use std::time::Duration;

use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::{self, ends};
use throttle_tests::traffic::{Case, MBIT};

const LIMITS: [u64; 2] = [10 * MBIT, 20 * MBIT];
const OFFERED: u64 = 60 * MBIT;
const WINDOW: Duration = Duration::from_secs(3);

#[test]
fn hosts_on_two_links_are_limited_at_once() {
    require_root!();
    let router = Router::with_lans(2).unwrap();
    let lab = Lab::with(router, &["--iface", "lan0", "--iface", "lan1"]).unwrap();
    let hosts = [0, 1].map(|lan| End::Host { lan, number: lan });
    for case in Case::all() {
        for (host, limit) in hosts.into_iter().zip(LIMITS) {
            lab.limit(host, case.family, case.direction, limit).unwrap();
        }
        assert_holds(|| {
            let rates = scenario::flood_hosts(&lab.router, case, hosts, OFFERED, WINDOW)?;
            let of = |lan: usize| reading(&format!("lan{lan}"), case, rates[lan], LIMITS[lan]);
            Ok(vec![of(0), of(1)])
        });
    }
}

#[test]
fn hosts_are_limited_on_the_wan_link_when_they_are_near() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &["--iface", "wan0:near"]).unwrap();
    let host = End::host(0);
    for case in Case::all() {
        lab.limit(host, case.family, case.direction, LIMITS[0]).unwrap();
        let (from, to) = ends(host, End::Server, case.direction);
        assert_holds(|| {
            let flood = Flood::new(&lab.router, from, to, case.family).rate(OFFERED);
            let (rate, _) = scenario::flood(&lab.router, to, case.family, [flood], WINDOW)?;
            Ok(vec![reading("near", case, rate.bits_per_second, LIMITS[0])])
        });
    }
}

fn reading(what: &str, case: Case, rate: f64, limit: u64) -> Reading {
    let what = format!("{what}, {} {}", case.direction, case.family);
    Reading::new(what, rate, limit as f64, "bit/s", Bar::Within(2.0))
}
