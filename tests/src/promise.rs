//! What the throttler promises about rates, each promise as one measurement. Tests and benchmarks take
//! the same measurements and differ in how long and how exact they are.

use std::time::Duration;

use anyhow::Result;

use crate::bars::{Bar, Reading};
use crate::flood::{Flood, Offered};
use crate::lab::Lab;
use crate::measure::Rate;
use crate::router::{End, lan_prefix};
use crate::scenario::{self, ends};
use crate::tcp::Flow;
use crate::traffic::{Case, GBIT, rate_argument, scaled};

/// A flood offers this multiple of the limit.
const EXCESS: u64 = 4;
/// The least and the most that TCP makes of its limit, in percent: payload, and layer 3.
const TCP_BARS: (Bar, Bar) = (Bar::AtLeast(93.0), Bar::AtMost(101.0));

/// How long to measure and how exact the result must be.
#[derive(Clone, Copy, Debug)]
pub struct Precision {
    /// How long, after the first second.
    pub window: Duration,
    /// Percent above or below the limit.
    pub tolerance: f64,
}

/// A UDP flood gets the limit through, no more and no less.
pub fn flood(lab: &Lab, case: Case, limit: u64, precision: Precision) -> Result<Vec<Reading>> {
    let Case { direction, family } = case;
    let host = End::host(0);
    lab.limit(host, family, direction, limit)?;
    let (from, to) = ends(host, End::Server, direction);
    let flood = Flood::new(&lab.router, from, to, family).rate(EXCESS * limit);
    // One CPU does not send that much.
    let flood = if limit >= GBIT { flood.on_cpus([0, 1]) } else { flood };
    let (rate, offered) = scenario::flood(&lab.router, to, family, [flood], precision.window)?;
    let what = format!("UDP flood {direction} {family}");
    let bar = Bar::Within(precision.tolerance);
    let reading = Reading::new(what, rate.bits_per_second, limit as f64, "bit/s", bar);
    Ok(vec![reading.with_note(offered_words(&offered))])
}

/// Two CPUs that flood one shared bucket get its rate through together.
pub fn shared_by_two_cpus(
    lab: &Lab,
    case: Case,
    limit: u64,
    precision: Precision,
) -> Result<Vec<Reading>> {
    let Case { direction, family } = case;
    let (prefix, option) = (lan_prefix(0, family), direction.option());
    lab.limit_set(&format!("{prefix} --scope shared {option} {}", rate_argument(limit)))?;
    let floods = [(0, End::host(2)), (1, End::host(3))].map(|(cpu, host)| {
        let (from, to) = ends(host, End::Server, direction);
        Flood::new(&lab.router, from, to, family).rate(EXCESS * limit / 2).on_cpus([cpu])
    });
    let (_, receiver) = ends(End::host(2), End::Server, direction);
    let (rate, offered) = scenario::flood(&lab.router, receiver, family, floods, precision.window)?;
    lab.agent.done(&format!("limit del {prefix}"))?;
    let what = format!("two CPUs, shared bucket {direction} {family}");
    let bar = Bar::Within(precision.tolerance);
    let reading = Reading::new(what, rate.bits_per_second, limit as f64, "bit/s", bar);
    Ok(vec![reading.with_note(offered_words(&offered))])
}

/// A packet limit holds for small packets.
pub fn packets(lab: &Lab, case: Case, limit: u64, precision: Precision) -> Result<Vec<Reading>> {
    let words = format!("{}-pps {limit}pps", case.direction.option());
    let what = format!("packet limit {} {}, small packets", case.direction, case.family);
    let (rate, offered) = small_or_full(lab, case, &words, Some(limit), precision)?;
    let bar = Bar::Within(precision.tolerance);
    let reading = Reading::new(what, rate.packets_per_second, limit as f64, "packet/s", bar);
    Ok(vec![reading.with_note(offered_words(&offered))])
}

/// Of a packet limit and a bit limit the tighter holds: packets for small ones, bits for full ones.
pub fn tighter_of_both(lab: &Lab, case: Case, precision: Precision) -> Result<Vec<Reading>> {
    const PACKETS: u64 = 2000;
    const BITS: u64 = 10_000_000;
    let option = case.direction.option();
    let words = format!("{option} {} {option}-pps {PACKETS}pps", rate_argument(BITS));
    let what = format!("both limits {} {}", case.direction, case.family);
    let bar = Bar::Within(precision.tolerance);
    let (small, _) = small_or_full(lab, case, &words, Some(PACKETS), precision)?;
    let (full, _) = small_or_full(lab, case, &words, None, precision)?;
    let small = (small.packets_per_second, PACKETS as f64);
    let full = (full.bits_per_second, BITS as f64);
    Ok(vec![
        Reading::new(format!("{what}, small packets"), small.0, small.1, "packet/s", bar),
        Reading::new(format!("{what}, full packets"), full.0, full.1, "bit/s", bar),
    ])
}

/// Floods a host that is limited by `words`: with small packets at a multiple of `packets` per second,
/// or with full packets at 40 Mbit/s.
fn small_or_full(
    lab: &Lab,
    case: Case,
    words: &str,
    packets: Option<u64>,
    precision: Precision,
) -> Result<(Rate, Vec<Offered>)> {
    const SMALL: u64 = 100;
    let Case { direction, family } = case;
    let host = End::host(1);
    lab.limit_set(&format!("{} {words}", host.prefix(family)))?;
    let (from, to) = ends(host, End::Server, direction);
    let flood = Flood::new(&lab.router, from, to, family);
    let flood = match packets {
        Some(packets) => flood.length(SMALL).rate(EXCESS * packets * SMALL * 8),
        None => flood.rate(40_000_000),
    };
    scenario::flood(&lab.router, to, family, [flood], precision.window)
}

/// A TCP flow between a host and `peer` makes good use of its limit, and never exceeds it once the first
/// burst is spent.
pub fn tcp(lab: &Lab, peer: End, case: Case, limit: u64, seconds: u32) -> Result<Vec<Reading>> {
    let Case { direction, family } = case;
    let host = End::host(0);
    lab.limit(host, family, direction, limit)?;
    let (from, to) = ends(host, peer, direction);
    let flow = Flow { router: &lab.router, from, to, family, skipped_seconds: 1, seconds };
    let (rate, report) = scenario::transfer(flow, limit)?;
    let path = if peer == End::Router { "with the router" } else { "forwarded" };
    let what = format!("TCP {direction} {family} {path}");
    let (least, most) = TCP_BARS;
    let (goodput, limit) = (report.goodput_bits_per_second, limit as f64);
    Ok(vec![
        Reading::new(format!("{what}, goodput"), goodput, limit, "bit/s", least)
            .with_note(format!("{} retransmits", report.retransmits)),
        Reading::new(format!("{what}, layer 3"), rate.bits_per_second, limit, "bit/s", most),
    ])
}

fn offered_words(offered: &[Offered]) -> String {
    let total = offered.iter().map(|flood| flood.bits_per_second).sum();
    format!("offered {}", scaled(total, "bit/s"))
}
