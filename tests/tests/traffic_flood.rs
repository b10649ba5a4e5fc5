//! UDP floods at four times the limit get exactly the limit through.

use std::time::Duration;

use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_root;
use throttle_tests::traffic::{Case, GBIT, MBIT};

const PRECISION: Precision = Precision { window: Duration::from_secs(3), tolerance: 2.0 };

fn floods_hold(limit: u64) {
    let lab = Lab::new().unwrap();
    assert_holds(|| promise::flood(&lab, &Case::ALL, limit, PRECISION));
}

#[test]
fn a_flood_is_held_to_1_mbit() {
    require_root!();
    floods_hold(MBIT);
}

#[test]
fn a_flood_is_held_to_10_mbit() {
    require_root!();
    floods_hold(10 * MBIT);
}

#[test]
fn a_flood_is_held_to_100_mbit() {
    require_root!();
    floods_hold(100 * MBIT);
}

#[test]
fn a_flood_is_held_to_1_gbit() {
    require_root!();
    let lab = Lab::new().unwrap();
    // One at a time: each takes both CPUs.
    for case in Case::ALL {
        assert_holds(|| promise::flood(&lab, &[case], GBIT, PRECISION));
    }
}

#[test]
fn two_cpus_get_no_more_and_no_less_from_one_shared_bucket() {
    require_root!();
    let lab = Lab::new().unwrap();
    for case in Case::ALL {
        assert_holds(|| promise::shared_by_two_cpus(&lab, case, 300 * MBIT, PRECISION));
    }
}

#[test]
fn a_packet_limit_holds_for_small_packets() {
    require_root!();
    let lab = Lab::new().unwrap();
    assert_holds(|| promise::packets(&lab, &Case::ALL, 5_000, PRECISION));
}

#[test]
fn the_tighter_of_a_packet_and_a_bit_limit_holds() {
    require_root!();
    let lab = Lab::new().unwrap();
    assert_holds(|| promise::tighter_of_both(&lab, &Case::ALL, PRECISION));
}
