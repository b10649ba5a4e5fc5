//! Hosts behind a tunnel daemon's tun device are limited on it.

use std::time::Duration;

use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::lan_link::LanLink;
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::{Case, Direction, MBIT};

const LIMIT: u64 = 10 * MBIT;
const PRECISION: Precision = Precision { window: Duration::from_secs(2), tolerance: 2.0 };

#[test]
fn hosts_behind_a_tun_device_are_limited_on_it() {
    require_root!();
    let router = Router::over(LanLink::Tun).unwrap();
    let lab = Lab::with(router, &["--iface", "tun0"]).unwrap();
    assert_holds(|| promise::flood(&lab, &Case::ALL, LIMIT, PRECISION));
}

#[test]
fn tcp_through_a_tun_device_reaches_its_limit() {
    require_root!();
    let router = Router::over(LanLink::Tun).unwrap();
    let lab = Lab::with(router, &["--iface", "tun0"]).unwrap();
    for direction in Direction::ALL {
        let cases = Case::of(direction);
        assert_holds(|| promise::tcp(&lab, End::Server, &cases, LIMIT, 10));
    }
}
