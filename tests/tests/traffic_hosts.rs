//! Which bucket a host gets: its own, the prefix's, or that of the longest prefix.

use std::time::Duration;

use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_root;
use throttle_tests::router::{End, lan_prefix};
use throttle_tests::traffic::{Family, MBIT};

const LIMIT: u64 = 8 * MBIT;
/// What each host is offered, and offers.
const OFFERED: u64 = 3 * LIMIT;
const PRECISION: Precision = Precision { window: Duration::from_secs(3), tolerance: 2.0 };

#[test]
fn every_host_of_a_prefix_is_limited_by_itself() {
    require_root!();
    let lab = lab("each");
    assert_hosts(&lab, &[0, 1, 2, 3], |_| LIMIT);
}

#[test]
fn the_hosts_of_a_shared_prefix_share_its_rate() {
    require_root!();
    let lab = lab("shared");
    let hosts = [0, 1, 2].map(End::host);
    assert_holds(|| promise::shared_by_hosts(&lab, &hosts, OFFERED, LIMIT, PRECISION));
}

#[test]
fn the_longest_prefix_wins() {
    require_root!();
    let lab = lab("each");
    let longest = End::host(2);
    lab.limit_both(|family| longest.prefix(family), "each", 2 * LIMIT).unwrap();
    assert_hosts(&lab, &[1, 2], |host| if host == longest { 2 * LIMIT } else { LIMIT });
}

#[test]
fn a_deleted_limit_limits_no_more() {
    require_root!();
    let lab = lab("each");
    assert_hosts(&lab, &[3], |_| LIMIT);
    for family in Family::ALL {
        lab.agent.done(&format!("limit del {}", lan_prefix(0, family))).unwrap();
    }
    assert_hosts(&lab, &[3], |_| OFFERED);
}

/// A lab whose whole LAN has a limit of this scope.
fn lab(scope: &str) -> Lab {
    let lab = Lab::new().unwrap();
    lab.limit_both(|family| lan_prefix(0, family), scope, LIMIT).unwrap();
    lab
}

fn assert_hosts(lab: &Lab, numbers: &[u8], expected: impl Fn(End) -> u64) {
    let hosts: Vec<_> = numbers.iter().copied().map(End::host).collect();
    assert_holds(|| promise::hosts(lab, &hosts, OFFERED, &expected, PRECISION));
}
