//! Hosts behind devices without a link-layer header are limited on the device itself, those in a PPPoE session
//! also on the link below.

use std::time::Duration;

use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::lab::Lab;
use throttle_tests::lan_link::LanLink;
use throttle_tests::require_guest;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::flood_hosts;
use throttle_tests::traffic::{Case, Direction, Family, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 2 * MBIT;
const OFFERED: u64 = 2 * LIMIT;
const WINDOW: Duration = Duration::from_secs(2);

#[test]
fn wireguard_peers_are_limited_on_the_wireguard_device() {
    require_guest!();
    assert_limited(LanLink::Wireguard, "wg0", &Case::ALL);
}

#[test]
fn hosts_behind_an_ipip_tunnel_are_limited_on_it() {
    require_guest!();
    let cases = Direction::ALL.map(|direction| Case { direction, family: Family::V4 });
    assert_limited(LanLink::Tunnel("ipip"), "tun0", &cases);
}

#[test]
fn hosts_behind_a_sit_tunnel_are_limited_on_it() {
    require_guest!();
    assert_limited(LanLink::Tunnel("sit mode any"), "tun0", &Case::ALL);
}

#[test]
fn hosts_behind_a_ppp_link_are_limited_on_it() {
    require_guest!();
    assert_limited(LanLink::Ppp, "ppp0", &Case::ALL);
}

#[test]
fn hosts_in_a_pppoe_session_are_limited_on_its_device() {
    require_guest!();
    assert_limited(LanLink::Pppoe, "ppp0", &Case::ALL);
}

#[test]
fn hosts_in_a_pppoe_session_are_limited_on_the_link_below() {
    require_guest!();
    assert_limited(LanLink::Pppoe, "lan0", &Case::ALL);
}

/// The tunnel's own packets arrive too: only what reaches a port is counted.
fn assert_limited(link: LanLink<'_>, interface: &str, cases: &[Case]) {
    let lab = Lab::with(Router::over(link).unwrap(), &["--iface", interface]).unwrap();
    lab.limit_both(|family| HOST.prefix(family), "each", LIMIT).unwrap();
    let flooded: Vec<_> = cases.iter().map(|&case| (HOST, case)).collect();
    assert_holds(|| {
        let rates = flood_hosts(&lab.router, &flooded, OFFERED, WINDOW)?;
        let readings = cases.iter().zip(rates).map(|(case, rate)| {
            Reading::new(case.to_string(), rate, LIMIT as f64, "bit/s", Bar::Within(2.0))
        });
        Ok(readings.collect())
    });
}
