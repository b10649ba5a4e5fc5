//! The guest's kernel has what later suites build on, and the harness sets it up.

use std::time::Duration;

use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::guest::set_qdisc;
use throttle_tests::lan_link::LanLink;
use throttle_tests::require_guest;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario;
use throttle_tests::traffic::{Case, MBIT};

const OFFERED: u64 = 2 * MBIT;

#[test]
fn a_flood_through_a_wireguard_tunnel_arrives_at_the_rate_it_is_sent() {
    require_guest!();
    let router = Router::over(LanLink::Wireguard).unwrap();
    // The tunnel's own packets arrive too: only what reaches a port is counted.
    let flooded = Case::ALL.map(|case| (End::host(0), case));
    assert_holds(|| {
        let rates = scenario::flood_hosts(&router, &flooded, OFFERED, Duration::from_secs(2))?;
        let readings = Case::ALL.iter().zip(rates).map(|(case, rate)| {
            Reading::new(case.to_string(), rate, OFFERED as f64, "bit/s", Bar::Within(2.0))
        });
        Ok(readings.collect())
    });
}

#[test]
fn a_link_gets_the_queueing_discipline_it_is_given() {
    require_guest!();
    let router = Router::new().unwrap();
    let namespace = router.namespace(End::Router);
    for (qdisc, shown) in [("fq", "qdisc fq "), ("netem delay 20ms", "delay 20ms")] {
        set_qdisc(namespace, "lan0", qdisc).unwrap();
        let qdiscs = namespace.tc("qdisc show dev lan0").unwrap();
        assert!(qdiscs.contains(shown), "{qdiscs}");
    }
}
