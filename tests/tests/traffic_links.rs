//! One agent limits on several links, and on either side of the router.

use std::time::Duration;

use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

/// One host on each of two links.
const ON_BOTH: [End; 2] = [End::Host { lan: 0, number: 0 }, End::Host { lan: 1, number: 1 }];
const OFFERED: u64 = 60 * MBIT;
const PRECISION: Precision = Precision { window: Duration::from_secs(3), tolerance: 2.0 };

#[test]
fn hosts_on_two_links_are_limited_at_once() {
    require_root!();
    assert_limited(&two_links(), &ON_BOTH);
}

#[test]
fn a_link_that_was_detached_leaves_the_other_limited() {
    require_root!();
    let lab = two_links();
    for host in ON_BOTH {
        lab.limit_both(|family| host.prefix(family), "each", 10 * MBIT).unwrap();
    }
    lab.agent.done("detach --iface lan0").unwrap();
    let expected = |host| if host == ON_BOTH[0] { OFFERED } else { 10 * MBIT };
    assert_holds(|| promise::hosts(&lab, &ON_BOTH, OFFERED, expected, PRECISION));
}

#[test]
fn hosts_are_limited_on_the_wan_link_when_they_are_near() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &["--iface", "wan0:near"]).unwrap();
    assert_limited(&lab, &[End::host(0)]);
}

fn two_links() -> Lab {
    let router = Router::with_lans(2).unwrap();
    Lab::with(router, &["--iface", "lan0", "--iface", "lan1"]).unwrap()
}

/// Gives each host a limit of its own and floods all of them at once.
fn assert_limited(lab: &Lab, hosts: &[End]) {
    let limit = |host| if host == hosts[0] { 10 * MBIT } else { 20 * MBIT };
    for &host in hosts {
        lab.limit_both(|family| host.prefix(family), "each", limit(host)).unwrap();
    }
    assert_holds(|| promise::hosts(lab, hosts, OFFERED, limit, PRECISION));
}
