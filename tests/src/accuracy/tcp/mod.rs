//! What TCP makes of its limit over paths with a round-trip time: every limiter, congestion control, direction and
//! IP version.

mod info;
mod path;
mod report;
mod row;
mod stream;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::limiters::{EvenHtb, Hashlimit, HostLimit, Htb, Limiter, Nft, Ours, Pace, Police};
use crate::measure::{Sample, rate_between_bursts};
use crate::{interrupt, kernel};
use info::Info;
use row::{ROUND_TRIPS, Row};
use stream::RunningStream;

pub use report::Report;

/// Every limiter, ours first.
pub const CONTESTANTS: [Contestant; 7] = [
    Contestant { limiter: &Ours, excess: Excess::Dropped, least_percent: Some(97.0) },
    Contestant { limiter: &Pace, excess: Excess::Delayed, least_percent: Some(99.0) },
    Contestant { limiter: &Police, excess: Excess::Dropped, least_percent: None },
    Contestant { limiter: &Nft, excess: Excess::Dropped, least_percent: None },
    Contestant { limiter: &Hashlimit, excess: Excess::Dropped, least_percent: None },
    Contestant { limiter: &Htb, excess: Excess::Delayed, least_percent: None },
    Contestant { limiter: &EvenHtb, excess: Excess::Delayed, least_percent: None },
];

/// Who takes part.
pub struct Contestant {
    /// How it limits.
    pub limiter: &'static dyn Limiter,
    excess: Excess,
    /// What it has to make of every limit at least; `None` for a peer, which has to do nothing.
    least_percent: Option<f64>,
}

/// What a limiter does with packets beyond the limit. Only those who do the same compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    Dropped,
    Delayed,
}

/// Within this time of either end of a measurement a moment is looked for at which the burst is spent. Slow start
/// has spent the first one by then, at every round trip.
const EDGE: Duration = Duration::from_secs(3);

/// How much later connections start in the next run.
const STAGGER: Duration = Duration::from_millis(1);

/// How often arrivals are sampled.
const STEP: Duration = Duration::from_millis(10);

/// What became of a row.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Measured {
    /// What arrived, in percent of the limit.
    percent: f64,
    /// Payload that was sent again, in percent of what was sent.
    again_percent: f64,
}

impl Measured {
    /// Of a row with a limit of `limit` bits per second, by samples at its receiver and what its sender knows.
    fn of(row: &Row, limit: f64, samples: &[Sample], sent: &Info) -> Result<Self> {
        ensure!(
            sent.least_round_trip >= row.round_trip,
            "a path of {:?} was laid, and a packet came back after {:?}",
            row.round_trip,
            sent.least_round_trip
        );
        let rate = rate_between_bursts(samples, limit, EDGE).bits_per_second;
        Ok(Self {
            percent: rate / limit * 100.0,
            again_percent: sent.bytes_sent_again as f64 / sent.bytes_sent as f64 * 100.0,
        })
    }
}

/// What became of all rows at once.
#[derive(Debug, Deserialize, Serialize)]
pub struct Batch {
    limiter: String,
    /// As `uname -r` prints it.
    kernel: String,
    setting: Setting,
    /// In the order of [`Row::matching`].
    measured: Vec<Measured>,
    /// What the processors had nothing to do for, in percent of the time.
    idle_percent: f64,
}

impl Batch {
    /// Each connection's name, and its rate in percent of the limit.
    pub fn percents(&self) -> impl Iterator<Item = (String, f64)> {
        let rows = Row::matching(&self.setting.part).into_iter();
        rows.zip(&self.measured).map(|(row, measured)| (row.to_string(), measured.percent))
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.0} % idle;", self.limiter, self.idle_percent)?;
        self.measured.iter().try_for_each(|row| write!(f, " {:.1}", row.percent))
    }
}

/// What is measured of every limiter.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// What each connection is held to.
    pub bits_per_second: u64,
    /// How long each is measured, once its first burst is spent.
    pub seconds: u64,
    /// A part of the names of the connections, such as `100ms,cubic,down,IPv4`.
    pub part: String,
}

/// Runs all connections at once under `limiter`. Each starts after the one before, the later the higher the number of
/// the `run`: where the clock follows the processor's instructions, all else repeats itself to the packet.
pub fn measure(limiter: &dyn Limiter, setting: &Setting, run: u32) -> Result<Batch> {
    let Setting { bits_per_second, seconds, ref part } = *setting;
    let rows = Row::matching(part);
    ensure!(!rows.is_empty(), "no row's name contains `{part}`, as `100ms,cubic,down,IPv4` does");
    let router = path::lay(&ROUND_TRIPS)?;
    let limit = |row: &Row| HostLimit { host: row.host, case: row.case, bits_per_second };
    let limits: Vec<_> = rows.iter().map(limit).collect();
    let _in_force = limiter.install(&router, &limits)?;
    let before = Processors::read()?;
    let start = |row: &Row| {
        interrupt::sleep(STAGGER * run)?;
        row.stream(&router).start()
    };
    let streams = rows.iter().map(start).collect::<Result<Vec<_>>>()?;
    let (series, settled) = sample_all(&streams, Duration::from_secs(seconds))?;
    let idle_percent = Processors::read()?.idle_percent_since(&before);
    let of_row = |(number, row): (usize, &Row)| {
        streams[number].check_since(&settled[number])?;
        Measured::of(row, bits_per_second as f64, &series[number], &streams[number].sent()?)
    };
    let measured = rows.iter().enumerate().map(|of| of_row(of).with_context(|| of.1.to_string()));
    Ok(Batch {
        limiter: limiter.name().to_owned(),
        kernel: kernel::release()?,
        setting: setting.clone(),
        measured: measured.collect::<Result<_>>()?,
        idle_percent,
    })
}

/// Samples all streams for `length` and an [`EDGE`] on either side; returns as well what their senders knew once the
/// first edge had passed.
fn sample_all(
    streams: &[RunningStream],
    length: Duration,
) -> Result<(Vec<Vec<Sample>>, Vec<Info>)> {
    let mut series = vec![Vec::new(); streams.len()];
    let mut settled = None;
    let begin = Instant::now();
    for step in 0.. {
        interrupt::sleep((begin + STEP * step).saturating_duration_since(Instant::now()))?;
        for (samples, stream) in series.iter_mut().zip(streams) {
            samples.push(stream.sample()?);
        }
        if settled.is_none() && begin.elapsed() >= EDGE {
            settled = Some(streams.iter().map(RunningStream::sent).collect::<Result<_>>()?);
        }
        if begin.elapsed() >= EDGE + length + EDGE {
            break;
        }
    }
    Ok((series, settled.context("the measurement ended before it settled")?))
}

/// What the processors have done, in ticks.
#[derive(Clone, Copy, Debug)]
struct Processors {
    idle: u64,
    all: u64,
}

impl Processors {
    fn read() -> Result<Self> {
        let text = std::fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        Self::parse(&text).with_context(|| format!("reading /proc/stat: {text}"))
    }

    /// The first line has user, nice, system, idle, waiting for disks, and more.
    fn parse(text: &str) -> Option<Self> {
        let ticks = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let ticks: Vec<u64> = ticks.map(|ticks| ticks.parse().ok()).collect::<Option<_>>()?;
        Some(Self { idle: ticks.get(3)? + ticks.get(4)?, all: ticks.iter().sum() })
    }

    fn idle_percent_since(&self, earlier: &Self) -> f64 {
        (self.idle - earlier.idle) as f64 / (self.all - earlier.all).max(1) as f64 * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::Processors;

    #[test]
    fn processors_are_idle_while_they_do_nothing_or_wait_for_disks() {
        let read = |text| Processors::parse(text).unwrap();
        let before = read("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 1 1\n");
        let after = read("cpu  20 5 25 120 20 5 5 0 0 0\n");
        assert!((after.idle_percent_since(&before) - 60.0).abs() < 1e-9);
        assert!(Processors::parse("intr 1 2\n").is_none());
    }
}
