//! Which bucket a host gets: its own, the prefix's, or that of the longest prefix.

use std::time::Duration;

use anyhow::Result;
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::{End, lan_prefix};
use throttle_tests::scenario;
use throttle_tests::traffic::{Case, MBIT, rate_argument};

const LIMIT: u64 = 8 * MBIT;
/// What each host is offered, or offers.
const OFFERED: u64 = 4 * LIMIT;
const WINDOW: Duration = Duration::from_secs(3);

#[test]
fn every_host_of_a_prefix_is_limited_by_itself() {
    require_root!();
    let lab = Lab::new().unwrap();
    for case in Case::all() {
        limit_lan(&lab, case, "each", LIMIT);
        assert_holds(|| {
            let rates = flood(&lab, case, [0, 1, 2, 3])?;
            Ok(rates.map(|rate| reading("own bucket", case, rate, LIMIT)).to_vec())
        });
    }
}

#[test]
fn the_hosts_of_a_shared_prefix_share_its_rate() {
    require_root!();
    let lab = Lab::new().unwrap();
    for case in Case::all() {
        limit_lan(&lab, case, "shared", LIMIT);
        assert_holds(|| {
            let rates = flood(&lab, case, [0, 1, 2])?;
            Ok(vec![reading("shared bucket", case, rates.iter().sum(), LIMIT)])
        });
    }
}

#[test]
fn the_longest_prefix_wins() {
    require_root!();
    let lab = Lab::new().unwrap();
    for case in Case::all() {
        limit_lan(&lab, case, "each", LIMIT);
        lab.limit(End::host(2), case.family, case.direction, 2 * LIMIT).unwrap();
        assert_holds(|| {
            let [inside, own] = flood(&lab, case, [1, 2])?;
            let by_prefix = reading("host of the prefix", case, inside, LIMIT);
            Ok(vec![by_prefix, reading("host of its own", case, own, 2 * LIMIT)])
        });
    }
}

#[test]
fn a_deleted_limit_limits_no_more() {
    require_root!();
    let lab = Lab::new().unwrap();
    for case in Case::all() {
        limit_lan(&lab, case, "each", LIMIT);
        flood(&lab, case, [3]).unwrap();
        lab.agent.done(&format!("limit del {}", lan_prefix(0, case.family))).unwrap();
        assert_holds(|| {
            let [rate] = flood(&lab, case, [3])?;
            Ok(vec![reading("no limit any more", case, rate, OFFERED)])
        });
    }
}

fn limit_lan(lab: &Lab, case: Case, scope: &str, limit: u64) {
    let (prefix, option) = (lan_prefix(0, case.family), case.direction.option());
    let words = format!("{prefix} --scope {scope} {option} {}", rate_argument(limit));
    lab.limit_set(&words).unwrap();
}

/// Floods these hosts at once and returns the rate of each.
fn flood<const HOSTS: usize>(lab: &Lab, case: Case, hosts: [u8; HOSTS]) -> Result<[f64; HOSTS]> {
    scenario::flood_hosts(&lab.router, case, hosts.map(End::host), OFFERED, WINDOW)
}

fn reading(what: &str, case: Case, rate: f64, limit: u64) -> Reading {
    let what = format!("{what}, {} {}", case.direction, case.family);
    Reading::new(what, rate, limit as f64, "bit/s", Bar::Within(2.0))
}
