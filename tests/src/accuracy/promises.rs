//! What else ours promises about rates: TCP without delay, shared prefixes, packet limits.

use std::time::Duration;

use anyhow::Result;

use crate::bars::Reading;
use crate::lab::Lab;
use crate::promise::{self, Precision};
use crate::router::End;
use crate::traffic::{Case, Direction, GBIT, MBIT};

type Measure = dyn Fn(&Lab) -> Result<Vec<Reading>>;

/// A measurement and the name that a filter can pick it by.
struct Promise {
    name: &'static str,
    measure: Box<Measure>,
}

impl Promise {
    fn new(name: &'static str, measure: impl Fn(&Lab) -> Result<Vec<Reading>> + 'static) -> Self {
        Self { name, measure: Box::new(measure) }
    }
}

/// Measures each promise whose name contains `filter`, each for `seconds`.
pub fn measure(filter: &str, seconds: u32) -> Result<Vec<Reading>> {
    let mut promises = all(seconds);
    promises.retain(|promise| promise.name.contains(filter));
    if promises.is_empty() {
        return Ok(Vec::new());
    }
    let lab = Lab::new()?;
    let mut readings = Vec::new();
    for promise in promises {
        for reading in (promise.measure)(&lab)? {
            eprintln!("{reading}");
            readings.push(reading);
        }
    }
    Ok(readings)
}

fn all(seconds: u32) -> Vec<Promise> {
    let precision = Precision { window: Duration::from_secs(seconds.into()), tolerance: 1.0 };
    let mut promises = Vec::new();
    for limit in [10 * MBIT, 100 * MBIT] {
        for peer in [End::Server, End::Router] {
            promises.extend(Direction::ALL.map(|direction| {
                let cases = Case::of(direction);
                Promise::new("TCP", move |lab: &Lab| {
                    promise::tcp(lab, peer, &cases, limit, seconds)
                })
            }));
        }
    }
    for limit in [100 * MBIT, GBIT] {
        promises.extend(Case::ALL.map(|case| {
            let shared = move |lab: &Lab| promise::shared_by_two_cpus(lab, case, limit, precision);
            Promise::new("shared bucket", shared)
        }));
    }
    promises.extend([1_000, 20_000].map(|limit| {
        let packets = move |lab: &Lab| promise::packets(lab, &Case::ALL, limit, precision);
        Promise::new("packet limit", packets)
    }));
    let both = move |lab: &Lab| promise::tighter_of_both(lab, &Case::ALL, precision);
    promises.push(Promise::new("both limits", both));
    promises
}
