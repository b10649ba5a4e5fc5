//! UDP in guests, which have limiters that this machine's kernel lacks: what is measured in one, and what all of them
//! have told.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::batch::{self, Arrival};
use super::comparison::Comparison;
use super::limiters::{ALL, Limiter};
use super::matrix::{Row, Senders, batches};
use crate::kernel;

/// The packets per second that an emulated processor sends, routes and limits.
const CARRIED: f64 = 40_000.0;

/// How much later each row starts in the next run: where the clock follows the processor's instructions, all else
/// repeats itself to the packet.
const STAGGER: Duration = Duration::from_millis(1);

/// The rows of which the name contains `only`: one flow for every limit, packet size, direction and IP version that an
/// emulated processor carries.
pub fn rows(only: &str) -> Vec<Row> {
    let mut rows = Row::all();
    rows.retain(|row| {
        let is_carried = row.offered_packets_per_second() <= CARRIED;
        row.senders == Senders::OneFlow && is_carried && row.to_string().contains(only)
    });
    rows
}

/// What one limiter made of its rows in one run.
#[derive(Debug, Deserialize, Serialize)]
pub struct Told {
    limiter: String,
    /// As `uname -r` prints it.
    kernel: String,
    /// How long each row was measured.
    seconds: u32,
    /// By name of the row.
    arrivals: Vec<(String, Arrival)>,
}

/// Measures `rows` under `limiter` for `seconds` each. Runs differ in when rows start.
pub fn measure(limiter: &dyn Limiter, rows: &[Row], seconds: u32, run: u32) -> Result<Told> {
    let window = Duration::from_secs(seconds.into());
    let mut arrivals = Vec::new();
    for batch in batches(rows, CARRIED, 1) {
        // Whoever waits for the guest takes long silence for its end.
        eprintln!("{}: {} rows from {}", limiter.name(), batch.len(), batch[0]);
        let found = batch::run(limiter, &batch, window, STAGGER * run)?;
        arrivals.extend(batch.iter().map(Row::to_string).zip(found));
    }
    Ok(Told { limiter: limiter.name().to_owned(), kernel: kernel::release()?, seconds, arrivals })
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.limiter)?;
        self.arrivals.iter().try_for_each(|(row, Arrival { offered, arrived })| {
            write!(f, " {row}: {arrived:.0} of {offered:.0} bit/s;")
        })
    }
}

/// All that guests have told.
pub struct Report {
    kernel: String,
    seconds: u32,
    runs: usize,
    comparison: Comparison,
}

impl Report {
    /// Of measurements that are alike in all but limiter and run.
    pub fn of(all: &[Told]) -> Result<Self> {
        let first = all.first().context("nothing was measured; accepted: a measurement or more")?;
        let runs = |limiter: &&dyn Limiter| {
            all.iter().filter(|told| told.limiter == limiter.name()).count()
        };
        let limiters: Vec<_> = ALL.into_iter().filter(|limiter| runs(limiter) > 0).collect();
        let mut rows = rows("");
        rows.retain(|row| first.arrivals.iter().any(|(name, _)| *name == row.to_string()));
        let mut comparison = Comparison::new(&limiters, Vec::new(), &rows);
        for told in all {
            let limiter = &told.limiter;
            let (found, due) = ((&told.kernel, told.seconds), (&first.kernel, first.seconds));
            ensure!(found == due, "{limiter} was measured as {found:?}, others as {due:?}");
            let is_known = limiters.iter().any(|known| known.name() == limiter);
            ensure!(is_known, "there is no limiter {limiter}");
            let names = told.arrivals.iter().map(|(name, _)| name.as_str());
            let is_alike = names.eq(rows.iter().map(Row::to_string));
            ensure!(is_alike, "the rows of {limiter} are not those of {}", first.limiter);
            let arrivals = told.arrivals.iter().map(|(_, arrival)| *arrival);
            comparison.add(limiter, &rows.iter().copied().zip(arrivals).collect::<Vec<_>>());
        }
        let runs = limiters.iter().map(runs).max();
        let (kernel, seconds) = (first.kernel.clone(), first.seconds);
        Ok(Self { kernel, seconds, runs: runs.unwrap_or_default(), comparison })
    }

    /// Rows in which ours misses its bar, or could not be held to it.
    pub fn missed(&self) -> usize {
        self.comparison.missed()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, seconds, runs, comparison } = self;
        writeln!(f, "{runs} runs of {seconds} s on Linux {kernel}. {}", comparison.markdown())
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, CARRIED, Report, Row, Told, rows};
    use crate::traffic::MBIT;

    /// A run in which every row gets `part` of its limit.
    fn told(limiter: &str, part: f64) -> Told {
        let arrival = |row: &Row| {
            let limit = row.limit as f64;
            (row.to_string(), Arrival { offered: 2.0 * limit, arrived: part * limit })
        };
        let arrivals = rows("64 B").iter().map(arrival).collect();
        Told { limiter: limiter.to_owned(), kernel: "6.12".into(), seconds: 30, arrivals }
    }

    #[test]
    fn rows_cover_low_limits_and_are_no_more_than_is_carried() {
        let rows = rows("");
        for limit in [MBIT, 10 * MBIT, 100 * MBIT] {
            assert!(rows.iter().any(|row| row.limit == limit && row.packet_bytes == 1500));
        }
        assert!(rows.iter().all(|row| row.offered_packets_per_second() <= CARRIED));
        assert!(self::rows("nonsense").is_empty());
    }

    #[test]
    fn what_guests_tell_is_compared_run_by_run() {
        let all = [told("throttle", 1.004), told("police", 1.0), told("throttle", 1.0)];
        let report = Report::of(&all).unwrap();
        let text = report.to_string();
        assert!(text.starts_with("2 runs of 30 s on Linux 6.12."), "{text}");
        assert!(text.contains("+0.20 ±0.20") && !text.contains("HTB"), "{text}");
        assert_eq!(report.missed(), 0, "{text}");
        assert_eq!(Report::of(&[told("throttle", 1.006)]).unwrap().missed(), rows("64 B").len());
    }

    #[test]
    fn measurements_that_are_not_alike_are_refused() {
        let shorter = Told { seconds: 3, ..told("nft", 1.0) };
        let fewer = Told { arrivals: Vec::new(), ..told("nft", 1.0) };
        for other in [shorter, fewer, told("cake", 1.0)] {
            assert!(Report::of(&[told("throttle", 1.0), other]).is_err());
        }
        assert!(Report::of(&[]).is_err());
    }
}
