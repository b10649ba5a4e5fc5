//! Tagged traffic is limited like any other, on the link below and on the VLAN device itself.

use std::time::Duration;

use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::lan_link::{LanLink, Tag};
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_guest;
use throttle_tests::router::Router;
use throttle_tests::traffic::{Case, MBIT};

const LIMIT: u64 = 2 * MBIT;
const PRECISION: Precision = Precision { window: Duration::from_secs(3), tolerance: 2.0 };
const VLAN: LanLink<'_> = LanLink::Vlan(&[Tag::Customer(5)]);
const QINQ: LanLink<'_> = LanLink::Vlan(&[Tag::Service(9), Tag::Customer(5)]);

#[test]
fn hosts_in_a_vlan_are_limited_on_the_link_below() {
    require_guest!();
    assert_limited(VLAN, "lan0");
}

#[test]
fn hosts_in_a_vlan_are_limited_on_the_vlan_device() {
    require_guest!();
    assert_limited(VLAN, "lan0.5");
}

#[test]
fn hosts_in_a_vlan_inside_another_are_limited_on_the_link_below() {
    require_guest!();
    assert_limited(QINQ, "lan0");
}

fn assert_limited(link: LanLink<'_>, interface: &str) {
    let router = Router::over(link).unwrap();
    let lab = Lab::with(router, &["--iface", interface]).unwrap();
    assert_holds(|| promise::flood(&lab, &Case::ALL, LIMIT, PRECISION));
}
