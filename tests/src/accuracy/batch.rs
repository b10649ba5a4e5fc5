//! One measurement: many rows at once, each with a host, a bucket and a receiver of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::limiters::{HostLimit, Limiter};
use super::matrix::{LEAST_OFFERED, Row, cpus, placed};
use super::refused::RefusedPackets;
use super::stream::{RunningStreams, Stream};
use crate::interrupt;
use crate::measure::{Sample, rate_between_bursts};
use crate::offload;
use crate::router::{End, Router};
use crate::scenario::{self, ends};

/// How often packets are counted.
const STEP: Duration = Duration::from_millis(10);
/// The window begins and ends within this time.
const EDGE: Duration = Duration::from_millis(500);

/// What became of a row in the window, in bits of layer 3 per second.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Arrival {
    /// Handed to the kernel.
    pub offered: f64,
    /// Counted by the receiving kernel.
    pub arrived: f64,
}

impl Arrival {
    /// Whether enough was offered for what arrived to be the limiter's doing.
    pub fn is_enough(&self, row: &Row) -> bool {
        self.offered >= LEAST_OFFERED * row.limit as f64
    }
}

/// Holds `rows` by `limiter`, waits until every burst is spent, and then measures for `window`. Each row starts to send
/// `stagger` after the one before.
pub fn run(
    limiter: &dyn Limiter,
    rows: &[Row],
    window: Duration,
    stagger: Duration,
) -> Result<Vec<Arrival>> {
    let lengths = [settling(limiter, rows), window];
    let series = observed(limiter, rows, Row::offered_packets_per_second, lengths, stagger)?;
    Ok(rows.iter().zip(series).map(|(row, observed)| observed.arrival(row)).collect())
}

/// How long the least that counts as offered takes to spend every burst.
pub fn settling(limiter: &dyn Limiter, rows: &[Row]) -> Duration {
    let burst_seconds = |row: &Row| limiter.burst_seconds(&row.of_host(End::Server));
    let most = rows.iter().map(burst_seconds).fold(0.0, f64::max);
    scenario::SETTLED + Duration::from_secs_f64(most / (LEAST_OFFERED - 1.0))
}

/// The packets per second that one CPU can send, route and refuse, of `rows` that `limiter` holds.
pub fn capacity(limiter: &dyn Limiter, rows: &[Row]) -> Result<f64> {
    const SECOND: Duration = Duration::from_secs(1);
    const AS_MANY_AS_CAN_BE: f64 = 1e9;
    let lengths = [scenario::SETTLED, SECOND];
    let series = observed(limiter, rows, |_| AS_MANY_AS_CAN_BE, lengths, Duration::ZERO)?;
    Ok(series.iter().map(Observed::sent_per_second).sum::<f64>() / cpus() as f64)
}

/// Sends the packets per second that `offered` says of each row, and counts them once they have settled.
fn observed(
    limiter: &dyn Limiter,
    rows: &[Row],
    offered: fn(&Row) -> f64,
    [settled, window]: [Duration; 2],
    stagger: Duration,
) -> Result<Vec<Observed>> {
    let (router, limits) = lay_out(rows)?;
    let _limits = limiter.install(&router, &limits)?;
    let cpus = cpus();
    let mut streams: Vec<Vec<Stream>> = (0..cpus).map(|_| Vec::new()).collect();
    let (mut counters, mut starts_after) = (Vec::new(), Duration::ZERO);
    for ((row, limit), first_cpu) in rows.iter().zip(&limits).zip(placed(rows, cpus).0) {
        let (counter, of_row) = prepare(&router, row, limit.host, offered(row))?;
        counters.push(counter);
        for (number, stream) in of_row.into_iter().enumerate() {
            streams[(first_cpu + number) % cpus].push(stream.starting_after(starts_after));
        }
        starts_after += stagger;
    }
    let begun = counters.iter().map(Counter::packets).collect::<Result<Vec<_>>>()?;
    let sending = RunningStreams::start(streams);
    interrupt::sleep(settled)?;
    let series = observe(&counters, window + 2 * EDGE)?;
    sending.stop()?;
    Ok(begun.into_iter().zip(series).map(|(begun, packets)| Observed { begun, packets }).collect())
}

/// A router with a host for each row, where rows of different cases share hosts.
fn lay_out(rows: &[Row]) -> Result<(Router, Vec<HostLimit>)> {
    let before = |number: usize| {
        let earlier = &rows[..number];
        earlier.iter().filter(|row| row.case == rows[number].case).count() as u8
    };
    let limit = |(number, row): (usize, &Row)| row.of_host(End::host(before(number)));
    let limits: Vec<_> = rows.iter().enumerate().map(limit).collect();
    let router = Router::new()?;
    router.add_hosts((0..rows.len()).map(before).max().map_or(0, |most| most + 1))?;
    for end in [End::host(0), End::Server] {
        offload::segment_before_sending(router.namespace(end), "eth0")?;
    }
    Ok((router, limits))
}

/// The receiver of a row, and its stream from each CPU.
fn prepare(
    router: &Router,
    row: &Row,
    host: End,
    packets_per_second: f64,
) -> Result<(Counter, Vec<Stream>)> {
    let (from, to) = ends(host, End::Server, row.case.direction);
    let refused = RefusedPackets::bind(router, to, row.case.family)?;
    let port = refused.port()?;
    let mut streams: Vec<Stream> = Vec::new();
    let cpus = row.senders.cpus();
    for _ in 0..cpus {
        let stream = Stream::new(
            router,
            [from, to],
            (row.case.family, port),
            row.packet_bytes,
            row.senders.flows_per_cpu(),
            packets_per_second / cpus as f64,
        )?;
        streams.push(match streams.first() {
            Some(first) => stream.counted_with(first),
            None => stream,
        });
    }
    Ok((Counter { refused, sent: streams[0].total() }, streams))
}

/// Counts what is sent and what arrives of a row.
#[derive(Debug)]
struct Counter {
    refused: RefusedPackets,
    sent: Arc<AtomicU64>,
}

/// Packets at one instant.
#[derive(Clone, Copy, Debug)]
struct Packets {
    at: Instant,
    sent: u64,
    /// Modulo 2^32.
    arrived: u32,
}

impl Packets {
    fn sent_per_second_since(&self, earlier: &Self) -> f64 {
        (self.sent - earlier.sent) as f64 / (self.at - earlier.at).as_secs_f64()
    }
}

impl Counter {
    fn packets(&self) -> Result<Packets> {
        let sent = self.sent.load(Ordering::Relaxed);
        let at = Instant::now();
        Ok(Packets { at, sent, arrived: self.refused.count()? })
    }
}

/// Reads each counter every [`STEP`] for `length` from now.
fn observe(counters: &[Counter], length: Duration) -> Result<Vec<Vec<Packets>>> {
    let started = Instant::now();
    let mut series = vec![Vec::new(); counters.len()];
    for step in 0.. {
        for (samples, counter) in series.iter_mut().zip(counters) {
            samples.push(counter.packets()?);
        }
        if started.elapsed() >= length {
            break;
        }
        interrupt::sleep((started + STEP * step).saturating_duration_since(Instant::now()))?;
    }
    Ok(series)
}

/// What was counted of a row.
#[derive(Debug)]
struct Observed {
    /// Before the first packet.
    begun: Packets,
    /// From the time on when bursts are spent.
    packets: Vec<Packets>,
}

impl Observed {
    fn first(&self) -> Packets {
        self.packets[0]
    }

    fn sent_per_second(&self) -> f64 {
        self.packets[self.packets.len() - 1].sent_per_second_since(&self.first())
    }

    /// The rates of the row. What arrives is taken between moments near either end at which the burst is spent: a
    /// sender that the machine holds up for a while just before lets a bucket fill up, which would count as an error
    /// of the limit. What is offered is the least of before and after: too little before leaves some of the burst.
    fn arrival(&self, row: &Row) -> Arrival {
        let first = self.first();
        let sample = |now: &Packets| {
            let arrived = u64::from(now.arrived.wrapping_sub(first.arrived));
            Sample { at: now.at, bytes: arrived * row.packet_bytes, packets: arrived }
        };
        let samples: Vec<_> = self.packets.iter().map(sample).collect();
        let offered = self.sent_per_second().min(first.sent_per_second_since(&self.begun));
        Arrival {
            offered: offered * (row.packet_bytes * 8) as f64,
            arrived: rate_between_bursts(&samples, row.limit as f64, EDGE).bits_per_second,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Observed, Packets, STEP};
    use crate::accuracy::matrix::Row;

    #[test]
    fn a_sender_that_is_held_up_near_an_edge_makes_no_error() {
        let row = Row { packet_bytes: 1250, ..Row::all()[0] };
        let start = Instant::now();
        // A packet per step is the limit. The sender is held up for 20 steps, which the bucket makes good.
        let packets = |step: u32| {
            let arrived = if (30..50).contains(&step) { 30 } else { step };
            let at = start + STEP * step;
            Packets { at, sent: u64::from(2 * step), arrived: (u32::MAX - 5).wrapping_add(arrived) }
        };
        let length = Duration::from_secs(4).as_millis() / STEP.as_millis();
        let series: Vec<_> = (10..=length as u32).map(packets).collect();
        for from in [0, 30] {
            let observed = Observed { begun: packets(0), packets: series[from..].to_vec() };
            let found = observed.arrival(&row);
            let limit = row.limit as f64;
            assert!((found.arrived / limit - 1.0).abs() < 0.005, "from {from}: {found:?}");
            assert!((found.offered / limit - 2.0).abs() < 0.005, "from {from}: {found:?}");
        }
        let begun = Packets { sent: 10, ..packets(0) };
        let observed = Observed { begun, packets: series[10..].to_vec() };
        let offered = observed.arrival(&row).offered / row.limit as f64;
        assert!((offered - 1.5).abs() < 0.005, "{offered} before the burst is spent");
    }
}
