//! The limiters that TCP is compared under are really there, also those that few machines have.

use std::time::Duration;

use throttle_tests::accuracy::tcp::CONTESTANTS;
use throttle_tests::require_guest;
use throttle_tests::traffic::MBIT;

use crate::traffic_peers::assert_each_holds;

#[test]
fn every_contestant_holds_floods_to_its_limit_until_it_is_lifted() {
    require_guest!();
    let limiters = CONTESTANTS.map(|contestant| contestant.limiter);
    assert_each_holds(&limiters, MBIT, Duration::from_secs(2));
}
