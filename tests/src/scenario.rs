//! Measurements that tests, benchmarks and the demo share.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::flood::{Flood, Offered};
use crate::interrupt::sleep;
use crate::measure::{Meter, Rate, rate_once_spent};
use crate::router::{End, Router};
use crate::sink::CountingSink;
use crate::tcp::{Flow, Report};
use crate::traffic::{Case, Direction, Family, Transport};

/// After this time a flood has spent every default burst.
pub const SETTLED: Duration = Duration::from_secs(1);

/// Who sends and who receives when `host` is limited in `direction` and `peer` is the other end.
pub fn ends(host: End, peer: End, direction: Direction) -> (End, End) {
    match direction {
        Direction::Up => (host, peer),
        Direction::Down => (peer, host),
    }
}

/// Runs floods that all end at `receiver` until they are [`SETTLED`] and then for `window`, and measures
/// the window.
pub fn flood<'a>(
    router: &Router,
    receiver: End,
    family: Family,
    floods: impl IntoIterator<Item = Flood<'a>>,
    window: Duration,
) -> Result<(Rate, Vec<Offered>)> {
    let meter = Meter::new(router.namespace(receiver), family, Transport::Udp)?;
    let running = floods.into_iter().map(Flood::start).collect::<Result<Vec<_>>>()?;
    sleep(SETTLED)?;
    let arrived = meter.rate_over(window)?;
    Ok((arrived, running.into_iter().map(|flood| flood.stop()).collect()))
}

/// Floods between the server and each of `hosts` at once, `offered` bits per second for each, and measures
/// `window` for each by itself.
pub fn flood_hosts<const HOSTS: usize>(
    router: &Router,
    case: Case,
    hosts: [End; HOSTS],
    offered: u64,
    window: Duration,
) -> Result<[f64; HOSTS]> {
    let mut sinks = Vec::new();
    let mut floods = Vec::new();
    for host in hosts {
        let (from, to) = ends(host, End::Server, case.direction);
        let sink = CountingSink::bind(router, to, case.family)?;
        let flood = Flood::new(router, from, to, case.family).port(sink.port());
        floods.push(flood.rate(offered).start()?);
        sinks.push(sink);
    }
    sleep(SETTLED)?;
    let before: Vec<_> = sinks.iter().map(CountingSink::sample).collect();
    sleep(window)?;
    let rate = |number: usize| sinks[number].sample().rate_since(&before[number]);
    Ok(std::array::from_fn(rate).map(|rate| rate.bits_per_second))
}

/// Runs a TCP flow, held to `bits_per_second`, and measures layer 3 at its receiver from the moment
/// in the skipped seconds at which the first burst is spent.
pub fn transfer(flow: Flow<'_>, bits_per_second: u64) -> Result<(Rate, Report)> {
    let running = flow.start()?;
    let seconds = |count: u32| Duration::from_secs(u64::from(count));
    // Ends a little early, so that the time to connect does not push the window past the last packet.
    let length = seconds(flow.skipped_seconds + flow.seconds) - Duration::from_millis(300);
    let samples = running.meter.series(Duration::from_millis(5), Instant::now() + length)?;
    let settling = seconds(flow.skipped_seconds);
    let arrived = rate_once_spent(&samples, bits_per_second as f64, settling);
    Ok((arrived, running.finish()?))
}
