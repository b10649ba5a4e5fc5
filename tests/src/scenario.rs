//! Measurements that tests, benchmarks and the demo share.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::flood::{Flood, RunningFlood};
use crate::interrupt::sleep;
use crate::measure::{Meter, Rate, rate_between_bursts};
use crate::router::{End, Router};
use crate::sink::CountingSink;
use crate::tcp::{Flow, Report, RunningFlow};
use crate::traffic::{Case, Direction, Transport};

/// After this time a flood has spent every default burst.
pub const SETTLED: Duration = Duration::from_secs(1);
/// How often TCP is sampled: each sample tells a burst to the length of this step.
const STEP: Duration = Duration::from_millis(5);

/// Who sends and who receives when `host` is limited in `direction` and `peer` is the other end.
pub fn ends(host: End, peer: End, direction: Direction) -> (End, End) {
    match direction {
        Direction::Up => (host, peer),
        Direction::Down => (peer, host),
    }
}

/// The flow of a case between `host` and the server, as fast as it can.
pub fn flow(
    router: &Router,
    host: End,
    case: Case,
    [skipped_seconds, seconds]: [u32; 2],
) -> Flow<'_> {
    let Case { direction, family } = case;
    let (from, to) = ends(host, End::Server, direction);
    Flow { router, from, to, family, skipped_seconds, seconds, bits_per_second: None }
}

/// What arrived of the floods to one receiver, and what was sent to it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// What arrived in the window.
    pub rate: Rate,
    /// The mean layer-3 rate that was handed to the kernel.
    pub offered_bits_per_second: f64,
}

/// Runs groups of floods at once until they are [`SETTLED`] and then for `window`, and measures what
/// arrives of each group in the window.
///
/// The floods of a group have one receiver and IP version, which no other group has.
pub fn floods(
    router: &Router,
    groups: Vec<Vec<Flood<'_>>>,
    window: Duration,
) -> Result<Vec<Arrival>> {
    let mut meters = Vec::new();
    let mut running = Vec::new();
    for group in groups {
        let (receiver, family) = group[0].receiver();
        meters.push(Meter::new(router.namespace(receiver), family, Transport::Udp)?);
        running.push(group.into_iter().map(Flood::start).collect::<Result<Vec<_>>>()?);
    }
    sleep(SETTLED)?;
    let first = meters.iter().map(Meter::sample).collect::<Result<Vec<_>>>()?;
    sleep(window)?;
    let last = meters.iter().map(Meter::sample).collect::<Result<Vec<_>>>()?;
    let rates = first.iter().zip(last).map(|(first, last)| last.rate_since(first));
    let arrival =
        |(rate, floods): (Rate, Vec<_>)| Arrival { rate, offered_bits_per_second: stop(floods) };
    Ok(rates.zip(running).map(arrival).collect())
}

/// Floods between the server and each host at once, `offered` bits per second for each, and measures
/// `window` for each by itself.
pub fn flood_hosts(
    router: &Router,
    hosts: &[(End, Case)],
    offered: u64,
    window: Duration,
) -> Result<Vec<f64>> {
    let flood = |&(host, Case { direction, family }): &(End, Case)| {
        let (from, to) = ends(host, End::Server, direction);
        Flood::new(router, from, to, family).rate(offered)
    };
    let rates = each_flood(router, hosts.iter().map(flood).collect(), window)?;
    Ok(rates.into_iter().map(|rate| rate.bits_per_second).collect())
}

/// Runs floods at once until they are [`SETTLED`] and then for `window`, and measures what arrives of
/// each in the window.
pub fn each_flood(router: &Router, floods: Vec<Flood<'_>>, window: Duration) -> Result<Vec<Rate>> {
    let mut sinks = Vec::new();
    let mut running = Vec::new();
    for flood in floods {
        let (receiver, family) = flood.receiver();
        let sink = CountingSink::bind(router, receiver, family)?;
        running.push(flood.port(sink.port()).start()?);
        sinks.push(sink);
    }
    sleep(SETTLED)?;
    let first: Vec<_> = sinks.iter().map(CountingSink::sample).collect();
    sleep(window)?;
    Ok(sinks.iter().zip(first).map(|(sink, first)| sink.sample().rate_since(&first)).collect())
}

/// Runs TCP flows at once, each held to `bits_per_second`, and measures layer 3 at their receivers from
/// a moment in the skipped seconds to one as late, at both of which the burst is spent.
///
/// No two flows have one receiver and IP version, and none is the way back of another.
pub fn transfers(flows: &[Flow<'_>], bits_per_second: u64) -> Result<Vec<(Rate, Report)>> {
    let running = flows.iter().map(|flow| flow.start()).collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let measure =
            |(flow, running)| scope.spawn(move || transfer(flow, running, bits_per_second));
        let threads: Vec<_> = flows.iter().zip(running).map(measure).collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results.map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

fn transfer(flow: &Flow<'_>, running: RunningFlow, limit: u64) -> Result<(Rate, Report)> {
    let seconds = |count: u32| Duration::from_secs(u64::from(count));
    // Ends a little early, so that the time to connect does not push the end past the last packet.
    let length = seconds(flow.skipped_seconds + flow.seconds) - Duration::from_millis(300);
    let rate = rate_held_to(&running.meter, limit, seconds(flow.skipped_seconds), length)?;
    Ok((rate, running.finish()?))
}

/// Measures for `length` from now what a limit of `bits_per_second` lets through, between the moments
/// within `edge` of either end at which the burst is spent.
pub fn rate_held_to(
    meter: &Meter,
    bits_per_second: u64,
    edge: Duration,
    length: Duration,
) -> Result<Rate> {
    let samples = meter.series(STEP, Instant::now() + length)?;
    Ok(rate_between_bursts(&samples, bits_per_second as f64, edge))
}

/// Ends floods and returns the mean rate that was sent.
fn stop(floods: Vec<RunningFlood>) -> f64 {
    floods.into_iter().map(|flood| flood.stop().bits_per_second).sum()
}
