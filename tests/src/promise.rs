//! What the throttler promises about rates, each promise as one measurement. Tests and benchmarks take
//! the same measurements and differ in how long and how exact they are.

use std::time::Duration;

use anyhow::Result;

use crate::bars::{Bar, Reading};
use crate::flood::Flood;
use crate::lab::Lab;
use crate::router::{End, lan_prefix};
use crate::scenario::{self, Arrival, ends};
use crate::tcp::Flow;
use crate::traffic::{Case, Family, GBIT, rate_argument, scaled};

/// The host that is limited by itself.
const HOST: End = End::host(0);

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

/// A UDP flood of a host gets the limit through, no more and no less; all of `cases` at once.
pub fn flood(lab: &Lab, cases: &[Case], limit: u64, precision: Precision) -> Result<Vec<Reading>> {
    lab.limit_both(|family| HOST.prefix(family), "each", limit)?;
    let arrivals = flood_cases(lab, cases, precision, |flood| {
        let flood = flood.rate(EXCESS * limit);
        // One CPU does not send that much.
        if limit >= GBIT { flood.on_cpus([0, 1]) } else { flood }
    })?;
    let reading = |(case, arrival)| bits("UDP flood", case, &arrival, limit, precision);
    Ok(cases.iter().zip(arrivals).map(reading).collect())
}

/// Floods of `offered` bits per second between each of `hosts` and the server, in every case at once, get
/// through what is `expected` of each host.
pub fn hosts(
    lab: &Lab,
    hosts: &[End],
    offered: u64,
    expected: impl Fn(End) -> u64,
    precision: Precision,
) -> Result<Vec<Reading>> {
    let flooded = every_case(hosts);
    let rates = scenario::flood_hosts(&lab.router, &flooded, offered, precision.window)?;
    let readings = flooded.iter().zip(rates).map(|(&(host, case), rate)| {
        let (what, expected) = (format!("{host:?}, {case}"), expected(host) as f64);
        Reading::new(what, rate, expected, "bit/s", Bar::Within(precision.tolerance))
    });
    Ok(readings.collect())
}

/// Floods as those of [`hosts`] get `limit` through together, in each case.
pub fn shared_by_hosts(
    lab: &Lab,
    hosts: &[End],
    offered: u64,
    limit: u64,
    precision: Precision,
) -> Result<Vec<Reading>> {
    let flooded = every_case(hosts);
    let rates = scenario::flood_hosts(&lab.router, &flooded, offered, precision.window)?;
    let readings = Case::ALL.map(|case| {
        let of_case = flooded.iter().zip(&rates).filter(|((_, found), _)| *found == case);
        let (what, sum) = (format!("all hosts, {case}"), of_case.map(|(_, rate)| rate).sum());
        Reading::new(what, sum, limit as f64, "bit/s", Bar::Within(precision.tolerance))
    });
    Ok(readings.into())
}

/// Two CPUs that flood one shared bucket get its rate through together.
pub fn shared_by_two_cpus(
    lab: &Lab,
    case: Case,
    limit: u64,
    precision: Precision,
) -> Result<Vec<Reading>> {
    let Case { direction, family } = case;
    lab.limit_both(|family| lan_prefix(0, family), "shared", limit)?;
    let floods = [(0, End::host(2)), (1, End::host(3))].map(|(cpu, host)| {
        let (from, to) = ends(host, End::Server, direction);
        Flood::new(&lab.router, from, to, family).rate(EXCESS * limit / 2).on_cpus([cpu])
    });
    let arrivals = scenario::floods(&lab.router, vec![floods.into()], precision.window)?;
    for family in Family::ALL {
        lab.agent.done(&format!("limit del {}", lan_prefix(0, family)))?;
    }
    Ok(vec![bits("two CPUs, shared bucket", &case, &arrivals[0], limit, precision)])
}

/// A packet limit holds for small packets; all of `cases` at once.
pub fn packets(
    lab: &Lab,
    cases: &[Case],
    limit: u64,
    precision: Precision,
) -> Result<Vec<Reading>> {
    let words = format!("--up-pps {limit}pps --down-pps {limit}pps");
    let arrivals = small_packets(lab, cases, &words, limit, precision)?;
    let what = "packet limit, small packets";
    let reading = |(case, arrival)| counted(what, case, &arrival, limit, precision);
    Ok(cases.iter().zip(arrivals).map(reading).collect())
}

/// Of a packet limit and a bit limit the tighter holds: packets for small ones, bits for full ones; all of
/// `cases` at once.
pub fn tighter_of_both(lab: &Lab, cases: &[Case], precision: Precision) -> Result<Vec<Reading>> {
    const PACKETS: u64 = 2_000;
    const BITS: u64 = 10_000_000;
    let rate = rate_argument(BITS);
    let words = format!("--up {rate} --down {rate} --up-pps {PACKETS}pps --down-pps {PACKETS}pps");
    let small = small_packets(lab, cases, &words, PACKETS, precision)?;
    let full = flood_cases(lab, cases, precision, |flood| flood.rate(EXCESS * BITS))?;
    let readings = cases.iter().zip(small.iter().zip(&full)).map(|(case, (small, full))| {
        [
            counted("both limits, small packets", case, small, PACKETS, precision),
            bits("both limits, full packets", case, full, BITS, precision),
        ]
    });
    Ok(readings.flatten().collect())
}

/// TCP flows between a host and `peer` make good use of their limit, and never exceed it once the first
/// burst is spent; all of `cases`, which have one direction, at once.
pub fn tcp(lab: &Lab, peer: End, cases: &[Case], limit: u64, seconds: u32) -> Result<Vec<Reading>> {
    let flow = |&Case { direction, family }: &Case| -> Result<Flow<'_>> {
        lab.limit(HOST, family, direction, limit)?;
        let (from, to) = ends(HOST, peer, direction);
        Ok(Flow {
            router: &lab.router,
            from,
            to,
            family,
            skipped_seconds: 1,
            seconds,
            bits_per_second: None,
        })
    };
    let flows = cases.iter().map(flow).collect::<Result<Vec<_>>>()?;
    let path = if peer == End::Router { "with the router" } else { "forwarded" };
    let (least, most) = TCP_BARS;
    let readings =
        cases.iter().zip(scenario::transfers(&flows, limit)?).map(|(case, (rate, report))| {
            let what = |layer: &str| format!("TCP {path}, {layer} {case}");
            let goodput = report.goodput_bits_per_second;
            [
                Reading::new(what("goodput"), goodput, limit as f64, "bit/s", least)
                    .with_note(format!("{} retransmits", report.retransmits)),
                Reading::new(what("layer 3"), rate.bits_per_second, limit as f64, "bit/s", most),
            ]
        });
    Ok(readings.flatten().collect())
}

fn every_case(hosts: &[End]) -> Vec<(End, Case)> {
    hosts.iter().flat_map(|&host| Case::ALL.map(|case| (host, case))).collect()
}

/// Limits the host by `words` and floods it with small packets at a multiple of `limit` per second.
fn small_packets(
    lab: &Lab,
    cases: &[Case],
    words: &str,
    limit: u64,
    precision: Precision,
) -> Result<Vec<Arrival>> {
    const SMALL: u64 = 100;
    for family in Family::ALL {
        lab.limit_set(&format!("{} {words}", HOST.prefix(family)))?;
    }
    let rate = EXCESS * limit * SMALL * 8;
    flood_cases(lab, cases, precision, |flood| flood.length(SMALL).rate(rate))
}

/// Runs one flood per case between the host and the server, as `adjust` makes it.
fn flood_cases<'a>(
    lab: &'a Lab,
    cases: &[Case],
    precision: Precision,
    adjust: impl Fn(Flood<'a>) -> Flood<'a>,
) -> Result<Vec<Arrival>> {
    let flood = |case: &Case| {
        let (from, to) = ends(HOST, End::Server, case.direction);
        vec![adjust(Flood::new(&lab.router, from, to, case.family))]
    };
    scenario::floods(&lab.router, cases.iter().map(flood).collect(), precision.window)
}

/// A rate in bits held against its limit.
fn bits(what: &str, case: &Case, arrival: &Arrival, limit: u64, precision: Precision) -> Reading {
    let measured = arrival.rate.bits_per_second;
    reading(what, case, arrival, (measured, limit, "bit/s"), precision)
}

/// A rate in packets held against its limit.
fn counted(
    what: &str,
    case: &Case,
    arrival: &Arrival,
    limit: u64,
    precision: Precision,
) -> Reading {
    let measured = arrival.rate.packets_per_second;
    reading(what, case, arrival, (measured, limit, "packet/s"), precision)
}

fn reading(
    what: &str,
    case: &Case,
    arrival: &Arrival,
    (measured, limit, unit): (f64, u64, &'static str),
    precision: Precision,
) -> Reading {
    let what = format!("{what} {case}");
    let offered = scaled(arrival.offered_bits_per_second, "bit/s");
    Reading::new(what, measured, limit as f64, unit, Bar::Within(precision.tolerance))
        .with_note(format!("offered {offered}"))
}
