//! A flow makes good use of its limit also over a path with a round-trip time.

use throttle_tests::accuracy::limiters::{Limiter, Ours, Pace};
use throttle_tests::accuracy::tcp::{Setting, measure};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::require_guest;
use throttle_tests::traffic::MBIT;

const LIMIT: u64 = 3 * MBIT;
/// Of the connections that `cargo xtask bench tcp` measures, those that an emulated machine carries at once.
const PART: &str = "20ms,cubic";

#[test]
fn tcp_over_a_delay_of_20_ms_reaches_a_limit_that_drops() {
    require_guest!();
    assert_reached(&Ours, 95.0);
}

#[test]
fn tcp_over_a_delay_of_20_ms_reaches_a_limit_that_paces() {
    require_guest!();
    assert_reached(&Pace, 97.0);
}

fn assert_reached(limiter: &dyn Limiter, least: f64) {
    let setting = Setting { bits_per_second: LIMIT, seconds: 4, part: PART.to_owned() };
    // Where the clock follows instructions, the same run once more is the same to the packet.
    let mut run = 0;
    assert_holds(|| {
        run += 1;
        let batch = measure(limiter, &setting, run)?;
        let readings = batch.percents().map(|(row, percent)| {
            let rate = percent / 100.0 * LIMIT as f64;
            [Bar::AtLeast(least), Bar::AtMost(102.0)]
                .map(|bar| Reading::new(&row, rate, LIMIT as f64, "bit/s", bar))
        });
        Ok(readings.flatten().collect())
    });
}
