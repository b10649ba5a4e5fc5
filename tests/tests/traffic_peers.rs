//! What we are compared with is really there: each limiter holds floods to its limits, and only while it is
//! installed.

use std::time::Duration;

use throttle_tests::accuracy::limiters::{self, HostLimit};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::{self, ends};
use throttle_tests::traffic::{Case, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
const OFFERED: u64 = 5 * LIMIT;
const WINDOW: Duration = Duration::from_millis(500);

#[test]
fn every_limiter_holds_floods_to_its_limit_until_it_is_lifted() {
    require_root!();
    let router = Router::new().unwrap();
    for limiter in limiters::ALL {
        let limit = |case| HostLimit { host: HOST, case, bits_per_second: LIMIT };
        assert_holds(|| {
            let _limits = limiter.install(&router, &Case::ALL.map(limit))?;
            flood(&router, limiter.name(), LIMIT)
        });
        assert_holds(|| flood(&router, "nobody", OFFERED));
    }
}

fn flood(router: &Router, limiter: &str, expected: u64) -> anyhow::Result<Vec<Reading>> {
    let floods = Case::ALL.map(|Case { direction, family }| {
        let (from, to) = ends(HOST, End::Server, direction);
        vec![Flood::new(router, from, to, family).rate(OFFERED)]
    });
    let arrivals = scenario::floods(router, floods.into(), WINDOW)?;
    let readings = Case::ALL.into_iter().zip(arrivals).map(|(case, arrival)| {
        let (what, measured) = (format!("{limiter}: {case}"), arrival.rate.bits_per_second);
        Reading::new(what, measured, expected as f64, "bit/s", Bar::Within(5.0))
    });
    Ok(readings.collect())
}
