//! What we are compared with is really there: each limiter holds floods to its limits, and only while it is
//! installed.

use std::time::Duration;

use throttle_tests::accuracy::limiters::{self, HostLimit, LeftOut, Limiter};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::{self, ends};
use throttle_tests::traffic::{Case, MBIT};

const HOST: End = End::host(0);

#[test]
fn every_limiter_holds_floods_to_its_limit_until_it_is_lifted() {
    require_root!();
    let (limiters, left_out) = limiters::at_hand(limiters::ALL).unwrap();
    for LeftOut { name, reason } in left_out {
        println!("left to the guests: {name}. {reason}");
    }
    assert_each_holds(&limiters, 10 * MBIT, Duration::from_millis(500));
}

/// Holds a host to `limit` by one of `limiters` after the other, floods it with five times as much, and measures what
/// arrives in `window`; then the same without a limit.
pub(crate) fn assert_each_holds(limiters: &[&dyn Limiter], limit: u64, window: Duration) {
    let router = Router::new().unwrap();
    let offered = 5 * limit;
    for limiter in limiters {
        let of_host = |case| HostLimit { host: HOST, case, bits_per_second: limit };
        assert_holds(|| {
            let _limits = limiter.install(&router, &Case::ALL.map(of_host))?;
            flood(&router, limiter.name(), [offered, limit], window)
        });
        assert_holds(|| flood(&router, "nobody", [offered, offered], window));
    }
}

fn flood(
    router: &Router,
    limiter: &str,
    [offered, expected]: [u64; 2],
    window: Duration,
) -> anyhow::Result<Vec<Reading>> {
    let floods = Case::ALL.map(|Case { direction, family }| {
        let (from, to) = ends(HOST, End::Server, direction);
        vec![Flood::new(router, from, to, family).rate(offered)]
    });
    let arrivals = scenario::floods(router, floods.into(), window)?;
    let readings = Case::ALL.into_iter().zip(arrivals).map(|(case, arrival)| {
        let (what, measured) = (format!("{limiter}: {case}"), arrival.rate.bits_per_second);
        Reading::new(what, measured, expected as f64, "bit/s", Bar::Within(5.0))
    });
    Ok(readings.collect())
}
