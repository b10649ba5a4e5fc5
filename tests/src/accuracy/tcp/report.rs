//! The tables of a measurement, side by side, with bars and comparisons.

use std::fmt::{self, Write as _};

use anyhow::{Context as _, Result, ensure};

use super::row::Row;
use super::{Batch, CONTESTANTS, Measured, Setting};
use crate::accuracy::runs::Runs;
use crate::table;
use crate::traffic::scaled;

/// What nobody may exceed, in percent.
const MOST: f64 = 101.0;
/// Two limiters are level when they differ by no more than this many points, or by their spread.
const LEVEL: f64 = 0.5;
/// Processors that are busier than this may be what holds a connection back.
const LEAST_IDLE_PERCENT: f64 = 10.0;

/// All batches of all limiters.
#[derive(Debug)]
pub struct Report {
    kernel: String,
    setting: Setting,
    rows: Vec<Row>,
    /// By place in [`CONTESTANTS`].
    batches: [Vec<Batch>; CONTESTANTS.len()],
}

impl Report {
    /// Sorts batches, which have to be alike in all but their limiters.
    pub fn of(batches: Vec<Batch>) -> Result<Self> {
        let first = batches.first().context("nothing was measured; accepted: a batch or more")?;
        let (kernel, setting) = (first.kernel.clone(), first.setting.clone());
        let rows = Row::matching(&setting.part);
        let mut sorted = <[Vec<Batch>; CONTESTANTS.len()]>::default();
        for batch in batches {
            let limiter = &batch.limiter;
            let found = (&batch.kernel, &batch.setting);
            let due = (&kernel, &setting);
            ensure!(found == due, "{limiter} was measured as {found:?}, others as {due:?}");
            let (count, due) = (batch.measured.len(), rows.len());
            ensure!(count == due, "{count} rows were measured of {limiter}, and there are {due}");
            let place = (0..CONTESTANTS.len()).find(|&place| name(place) == limiter);
            let place = place.with_context(|| format!("there is no limiter {limiter}"))?;
            sorted[place].push(batch);
        }
        Ok(Self { kernel, setting, rows, batches: sorted })
    }

    /// What ours misses, a line each.
    pub fn misses(&self) -> Vec<String> {
        let mut misses = Vec::new();
        for (place, contestant) in CONTESTANTS.iter().enumerate() {
            let Some(least) = contestant.least_percent else { continue };
            for row in 0..self.rows.len() {
                let Some(cell) = self.cell(place, row) else { continue };
                let what = || format!("{}, {}", name(place), self.rows[row]);
                if cell.0.mean < least {
                    misses.push(format!("{}: {cell} %, bar >= {least} %", what()));
                }
                if cell.0.most > MOST {
                    misses.push(format!(
                        "{}: {:.2} % in a run, bar <= {MOST} %",
                        what(),
                        cell.0.most
                    ));
                }
            }
        }
        misses
    }

    fn cell(&self, place: usize, row: usize) -> Option<Cell> {
        Cell::of(self.batches[place].iter().map(|batch| batch.measured[row].percent))
    }

    /// The limiters that were measured, by place.
    fn places(&self) -> impl Iterator<Item = usize> {
        (0..CONTESTANTS.len()).filter(|&place| !self.batches[place].is_empty())
    }

    /// How the limiter of ours at `place` compares with the best of those that are like it.
    fn comparison(&self, place: usize, row: usize) -> Option<String> {
        let own = self.cell(place, row)?;
        let is_alike = |peer: &usize| {
            let peer = &CONTESTANTS[*peer];
            peer.least_percent.is_none() && peer.excess == CONTESTANTS[place].excess
        };
        let peers = self.places().filter(is_alike);
        let peers = peers.filter_map(|peer| Some((peer, self.cell(peer, row)?)));
        let (peer, best) = peers.min_by(|(_, a), (_, b)| a.error().total_cmp(&b.error()))?;
        let peer = name(peer);
        let points = best.error() - own.error();
        Some(if points.abs() <= own.0.level_with(best.0, LEVEL) {
            format!("level with {peer}")
        } else if points > 0.0 {
            format!("{points:.1} better than {peer}")
        } else {
            format!("**{:.1} worse than {peer}**", -points)
        })
    }

    fn percents(&self) -> String {
        let compared: Vec<_> =
            self.places().filter(|&place| CONTESTANTS[place].least_percent.is_some()).collect();
        let names = self.places().map(|place| name(place).to_owned());
        let against = compared.iter().map(|&place| format!("{} is", name(place)));
        let header = ["round trip", "sender", "", ""].map(str::to_owned);
        let header: Vec<_> = header.into_iter().chain(names).chain(against).collect();
        let header: Vec<_> = header.iter().map(String::as_str).collect();
        let mut table = table::markdown(&header, 4);
        for row in 0..self.rows.len() {
            let cells = self.places().map(|place| self.cell(place, row));
            let cells = cells.map(|cell| cell.map_or_else(String::new, |cell| cell.to_string()));
            let against = compared.iter().map(|&place| self.comparison(place, row));
            let against = against.map(Option::unwrap_or_default);
            table.add_row(self.rows[row].words().into_iter().chain(cells).chain(against));
        }
        table.to_string()
    }

    /// What was sent again by round trip and congestion control: the mean over directions and IP versions.
    fn sent_again(&self) -> String {
        let names = self.places().map(name);
        let header: Vec<_> = ["round trip", "sender"].into_iter().chain(names).collect();
        let mut table = table::markdown(&header, 2);
        let kind = |row: &Row| (row.round_trip, row.congestion);
        let mut first = 0;
        while first < self.rows.len() {
            let alike = |row: &&Row| kind(row) == kind(&self.rows[first]);
            let count = self.rows[first..].iter().take_while(alike).count();
            let mean = |place: usize| {
                let batches = self.batches[place].iter();
                let measured = batches.flat_map(|batch| &batch.measured[first..first + count]);
                let percents = measured.map(|Measured { again_percent, .. }| *again_percent);
                let cell = Cell::of(percents);
                cell.map_or_else(String::new, |cell| format!("{:.1}", cell.0.mean))
            };
            let [round_trip, congestion, ..] = self.rows[first].words();
            table.add_row([round_trip, congestion].into_iter().chain(self.places().map(mean)));
            first += count;
        }
        table.to_string()
    }

    /// Each limiter's configuration, and whether processors had time.
    fn limiters(&self) -> String {
        let mut text = String::new();
        for place in self.places() {
            let idle = self.batches[place].iter().map(|batch| batch.idle_percent);
            let idle = idle.fold(100.0, f64::min);
            let busy = if idle < LEAST_IDLE_PERCENT {
                " **The processor may have been what held it back.**"
            } else {
                ""
            };
            // A string never refuses.
            let _ = writeln!(
                text,
                "* {}: {} At least {idle:.0} % of the processor's time was idle.{busy}",
                name(place),
                CONTESTANTS[place].limiter.configuration()
            );
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = scaled(self.setting.bits_per_second as f64, "bit/s");
        let runs = self.batches.iter().map(Vec::len).max().unwrap_or_default();
        let (seconds, kernel) = (self.setting.seconds, &self.kernel);
        writeln!(
            f,
            "Percent of a limit of {limit} at layer 3, {runs} runs of {seconds} s on Linux {kernel}, mean ± half of \
             the spread.\n"
        )?;
        writeln!(f, "{}\n", self.percents())?;
        let misses = self.misses();
        if misses.is_empty() {
            writeln!(f, "Every bar holds.\n")?;
        } else {
            writeln!(f, "Missed:\n\n* {}\n", misses.join("\n* "))?;
        }
        writeln!(f, "Payload sent again, in percent of what was sent:\n\n{}\n", self.sent_again())?;
        write!(f, "{}", self.limiters())
    }
}

fn name(place: usize) -> &'static str {
    CONTESTANTS[place].limiter.name()
}

/// Percent of the limit over runs.
#[derive(Clone, Copy, Debug)]
struct Cell(Runs);

impl Cell {
    fn of(percents: impl Iterator<Item = f64>) -> Option<Self> {
        Runs::of(percents).map(Self)
    }

    /// Points between the limit and the mean, in either direction.
    fn error(self) -> f64 {
        self.0.error(100.0)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ±{:.2}", self.0.mean, self.0.spread())
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Measured, Report, Setting, name};

    /// A run of the connections over 1 ms, all of which make the same of their limit.
    fn batch(place: usize, percent: f64, idle_percent: f64) -> Batch {
        let part = "1ms,bbr,up".to_owned();
        Batch {
            limiter: name(place).to_owned(),
            kernel: "6.12".into(),
            setting: Setting { bits_per_second: 5_000_000, seconds: 30, part },
            measured: vec![Measured { percent, again_percent: 2.0 }; 2],
            idle_percent,
        }
    }

    fn report(percents: &[(usize, f64)]) -> Report {
        let batches = percents.iter().map(|&(place, percent)| batch(place, percent, 50.0));
        Report::of(batches.collect()).unwrap()
    }

    #[test]
    fn ours_has_to_reach_its_bars_in_the_mean_and_nobody_else_any() {
        let (drop, pace, police) = (0, 1, 2);
        let holds = report(&[(drop, 97.5), (drop, 96.7), (pace, 99.0), (police, 90.0)]);
        assert!(holds.misses().is_empty(), "{holds}");
        assert!(holds.to_string().contains("Every bar holds"), "{holds}");
        let misses = report(&[(drop, 97.5), (drop, 96.3), (pace, 98.9)]).misses();
        assert_eq!(misses.len(), 4, "{misses:?}");
        let expected = "throttle, 1ms,bbr,up,IPv4: 96.90 ±0.60 %, bar >= 97 %";
        assert_eq!(misses[0], expected);
        let misses = report(&[(drop, 100.0), (drop, 101.2)]).misses();
        assert_eq!(misses[0], "throttle, 1ms,bbr,up,IPv4: 101.20 % in a run, bar <= 101 %");
    }

    #[test]
    fn ours_is_held_against_the_best_peer_that_treats_excess_alike() {
        let compared = |percents: &[(usize, f64)]| report(percents).comparison(0, 0).unwrap();
        let [police, nft, htb] = [2, 3, 5];
        assert_eq!(compared(&[(0, 98.0), (police, 95.0), (nft, 97.0)]), "1.0 better than nft");
        assert_eq!(compared(&[(0, 98.0), (police, 98.9)]), "**0.9 worse than police**");
        // Too much is as wrong as too little.
        assert_eq!(compared(&[(0, 98.0), (nft, 103.0)]), "1.0 better than nft");
        assert_eq!(compared(&[(0, 98.0), (nft, 98.5)]), "level with nft");
        assert_eq!(compared(&[(0, 97.0), (0, 99.0), (nft, 98.9)]), "level with nft");
        assert!(report(&[(0, 98.0), (htb, 98.0)]).comparison(0, 0).is_none());
    }

    #[test]
    fn a_busy_processor_is_told_of() {
        let text = |idle| Report::of(vec![batch(0, 100.0, idle)]).unwrap().to_string();
        assert!(text(9.0).contains("may have been what held it back"));
        assert!(!text(11.0).contains("may have been what held it back"));
    }

    #[test]
    fn batches_that_differ_in_more_than_the_limiter_are_refused() {
        let mut other = batch(1, 100.0, 50.0);
        other.setting.seconds = 3;
        let error = Report::of(vec![batch(0, 100.0, 50.0), other]).unwrap_err();
        assert!(error.to_string().contains("seconds: 3"), "{error}");
        assert!(Report::of(Vec::new()).is_err());
    }
}
