//! More spoofed hosts than the table has room for: who is in it keeps its limit, and nobody gains.

use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_tests::agent::HostTable;
use throttle_tests::attack::Attack;
use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::spoof::{self, SpoofedFlood};
use throttle_tests::traffic::Family;

/// As many as the benchmark has; the test does not wait for all of them.
const SOURCES: u32 = 10_000_000;
/// Several times what the table has room for.
const LEAST_SOURCES: u32 = 500_000;
const WINDOW: Duration = Duration::from_secs(8);

#[test]
fn hosts_keep_their_limits_while_ipv4_sources_fill_the_table() {
    require_root!();
    attack(Family::V4);
}

#[test]
fn hosts_keep_their_limits_while_ipv6_sources_fill_the_table() {
    require_root!();
    attack(Family::V6);
}

fn attack(family: Family) {
    let attack = Attack { family, sources: SOURCES, least_sources: LEAST_SOURCES, window: WINDOW };
    assert_holds(|| Ok(attack.run()?.readings));
}

#[test]
fn a_spoofed_flood_has_as_many_sources_as_it_was_asked_for() {
    const FEW: u32 = 5_000;
    require_root!();
    let lab = Lab::new().unwrap();
    for (family, expected) in Family::ALL.into_iter().zip([FEW, 2 * FEW]) {
        lab.limit_set(&format!("{} --up 8kbit", spoof::prefix(family))).unwrap();
        let flood = SpoofedFlood::start(&lab.router, family, FEW).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while flood.sent() < 10 * u64::from(FEW) {
            assert!(Instant::now() < deadline, "{} packets sent", flood.sent());
            sleep(Duration::from_millis(20));
        }
        flood.stop().unwrap();
        let HostTable { tracked, overflowed, .. } = lab.agent.host_table().unwrap();
        assert_eq!((tracked, overflowed), (expected.into(), 0), "{family}");
    }
}
