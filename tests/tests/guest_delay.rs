//! A flow makes good use of its limit also over a path with a round-trip time.

use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::guest::set_qdisc;
use throttle_tests::lab::Lab;
use throttle_tests::require_guest;
use throttle_tests::router::End;
use throttle_tests::scenario;
use throttle_tests::traffic::{Case, Direction, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 5 * MBIT;

#[test]
fn tcp_over_a_delay_of_20_ms_reaches_its_limit() {
    require_guest!();
    let lab = Lab::new().unwrap();
    set_qdisc(lab.router.namespace(End::Server), "eth0", "netem delay 20ms").unwrap();
    lab.limit_both(|family| HOST.prefix(family), "each", LIMIT).unwrap();
    for direction in Direction::ALL {
        let cases = Case::of(direction);
        let flows = cases.map(|case| scenario::flow(&lab.router, HOST, case, [1, 8]));
        assert_holds(|| {
            let results = scenario::transfers(&flows, LIMIT)?;
            let readings = cases.iter().zip(results).map(|(case, (rate, _))| {
                let (measured, limit) = (rate.bits_per_second, LIMIT as f64);
                [Bar::AtLeast(90.0), Bar::AtMost(102.0)]
                    .map(|bar| Reading::new(case.to_string(), measured, limit, "bit/s", bar))
            });
            Ok(readings.flatten().collect())
        });
    }
}
