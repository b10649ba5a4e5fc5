//! One TCP flow makes good use of its limit and never exceeds it.

use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::promise;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::traffic::{Case, Direction, MBIT};

/// TCP comes in bursts of up to a quarter of a second; a short window cuts through one at either end.
const SECONDS: u32 = 10;

fn tcp_holds(peer: End) {
    let lab = Lab::new().unwrap();
    for limit in [10 * MBIT, 100 * MBIT] {
        for direction in Direction::ALL {
            let cases = Case::of(direction);
            assert_holds(|| promise::tcp(&lab, peer, &cases, limit, SECONDS));
        }
    }
}

#[test]
fn forwarded_tcp_reaches_its_limit() {
    require_root!();
    tcp_holds(End::Server);
}

#[test]
fn tcp_with_the_limiting_machine_itself_reaches_its_limit() {
    require_root!();
    tcp_holds(End::Router);
}
