//! The rows with what each limiter made of them, as Markdown.

use std::fmt::Write as _;

use comfy_table::CellAlignment;

use super::batch::Arrival;
use super::limiters::{LeftOut, Limiter};
use super::matrix::{LEAST_OFFERED, Row};
use super::outcome::{BAR_PERCENT, LEVEL_PERCENT, Outcome, PercentError, best};
use crate::table;
use crate::traffic::rate_argument;

/// Rows and limiters, side by side. Ours is the first, if it takes part.
pub struct Comparison {
    limiters: Vec<&'static dyn Limiter>,
    left_out: Vec<LeftOut>,
    /// For each row, one outcome for each limiter.
    rows: Vec<(Row, Vec<Outcome>)>,
}

impl Comparison {
    /// With nothing measured.
    pub fn new(limiters: &[&'static dyn Limiter], left_out: Vec<LeftOut>, rows: &[Row]) -> Self {
        let empty = || vec![Outcome::default(); limiters.len()];
        let rows = rows.iter().map(|&row| (row, empty())).collect();
        Self { limiters: limiters.to_vec(), left_out, rows }
    }

    /// Adds what the limiter of this name, which takes part, made of each row.
    pub fn add(&mut self, limiter: &str, measured: &[(Row, Arrival)]) {
        let Some(place) = self.place(limiter) else { return };
        for (row, arrival) in measured {
            if let Some((_, outcomes)) = self.rows.iter_mut().find(|(found, _)| found == row) {
                outcomes[place].add(row, *arrival);
            }
        }
    }

    /// Whether the limiter of this name was offered enough of the row in any run so far.
    pub fn has_error(&self, limiter: &str, row: &Row) -> bool {
        let Some(place) = self.place(limiter) else { return false };
        self.rows.iter().any(|(found, outcomes)| found == row && outcomes[place].error().is_some())
    }

    /// Rows in which ours misses its bar, or could not be held to it: too little was offered in a run.
    pub fn missed(&self) -> usize {
        self.of_ours().filter(|outcome| !outcome.holds()).count()
    }

    /// What was compared, the result in words, and a table for each limit.
    pub fn markdown(&self) -> String {
        let mut text = String::from("What was compared:\n\n");
        for limiter in &self.limiters {
            // Writing to a string does not fail.
            let _ = writeln!(text, "* {}: {}", limiter.name(), limiter.configuration());
        }
        for LeftOut { name, reason } in &self.left_out {
            let _ = writeln!(text, "* {name}: left out. {reason}.");
        }
        let _ = write!(
            text,
            "\nThe error is how much more than the limit arrived, in percent of it: the mean of all runs, ± half of \
             the distance between the least and the most. A run in which less than {LEAST_OFFERED} times the limit \
             could be offered is not counted: `(1 of 2)` says how many are. The best are those whose worst run has the least error, \
             and those level with it: within {LEVEL_PERCENT} points.\n\n{}",
            self.summary()
        );
        let limits = self.rows.chunk_by(|(one, _), (other, _)| one.limit == other.limit);
        for rows in limits {
            let limit = rate_argument(rows[0].0.limit);
            let _ = write!(text, "\n### Limits of {limit}\n\n{}\n", self.table(rows));
        }
        text
    }

    fn place(&self, limiter: &str) -> Option<usize> {
        self.limiters.iter().position(|found| found.name() == limiter)
    }

    fn table(&self, rows: &[(Row, Vec<Outcome>)]) -> comfy_table::Table {
        let names = self.limiters.iter().map(|limiter| limiter.name());
        let header: Vec<_> = ["packets", "from", "traffic"].into_iter().chain(names).collect();
        let mut table = table::markdown(&[&header[..], &["best"]].concat(), 3);
        if let Some(best) = table.column_iter_mut().last() {
            best.set_cell_alignment(CellAlignment::Left);
        }
        for (row, outcomes) in rows {
            let errors: Vec<_> = outcomes.iter().map(Outcome::error).collect();
            let mut cells = vec![
                format!("{} B", row.packet_bytes),
                row.senders.to_string(),
                row.case.to_string(),
            ];
            cells.extend(outcomes.iter().map(Outcome::to_string));
            let best = best(&errors).into_iter().map(|number| self.limiters[number].name());
            cells.push(best.collect::<Vec<_>>().join(", "));
            table.add_row(cells);
        }
        table
    }

    /// How ours compares over all rows.
    fn summary(&self) -> String {
        let ours = self.limiters.first().map_or("nobody", |limiter| limiter.name());
        let (mut alone, mut level, mut beaten) = (0, 0, Vec::new());
        for (row, outcomes) in &self.rows {
            let errors: Vec<_> = outcomes.iter().map(Outcome::error).collect();
            let [Some(_), peers @ ..] = &errors[..] else { continue };
            if peers.iter().all(Option::is_none) {
                continue;
            }
            match best(&errors)[..] {
                [0] => alone += 1,
                [0, ..] => level += 1,
                [..] => beaten.push(row.to_string()),
            }
        }
        let compared = alone + level + beaten.len();
        let errors = self.of_ours().filter_map(Outcome::error);
        let largest = errors.map(PercentError::worst).fold(0.0, f64::max);
        let missed = self.missed();
        let mut text = format!(
            "{compared} of {} rows could be offered to {ours} and a peer{}. In {alone} of them {ours} is best alone, in \
             {level} level with the best, in {} a peer is better. The largest error of {ours} in any run is {largest:.2} %; \
             {missed} rows miss the bar of ±{BAR_PERCENT} %.\n",
            self.rows.len(),
            self.less_offered(),
            beaten.len()
        );
        if !beaten.is_empty() {
            let _ = writeln!(text, "\nA peer is better in: {}.", beaten.join("; "));
        }
        text
    }

    /// Limiters that were not offered every row, each with how many.
    fn less_offered(&self) -> String {
        let told = |(place, limiter): (usize, &&dyn Limiter)| {
            let offered =
                self.rows.iter().filter(|(_, outcomes)| outcomes[place].error().is_some());
            let count = offered.count();
            (count < self.rows.len()).then(|| format!(", {count} to {}", limiter.name()))
        };
        self.limiters.iter().enumerate().filter_map(told).collect()
    }

    fn of_ours(&self) -> impl Iterator<Item = &Outcome> {
        self.rows.iter().filter_map(|(_, outcomes)| outcomes.first())
    }
}

#[cfg(test)]
mod tests {
    use super::Comparison;
    use crate::accuracy::batch::Arrival;
    use crate::accuracy::limiters::{ALL, LeftOut};
    use crate::accuracy::matrix::Row;

    #[test]
    fn the_table_says_who_is_best_and_what_was_not_offered() {
        let rows = &Row::all()[..2];
        let [ours, police, rest @ ..] = ALL;
        let limiters = &[&[ours][..], &rest].concat();
        let reason = "no module".to_owned();
        let left_out = vec![LeftOut { name: police.name(), reason }];
        let mut comparison = Comparison::new(limiters, left_out, rows);
        let limit = rows[0].limit as f64;
        let arrival = |part: f64| Arrival { offered: 2.0 * limit, arrived: part * limit };
        let too_little = Arrival { offered: limit, arrived: limit };
        comparison.add("throttle", &[(rows[0], arrival(1.007)), (rows[1], arrival(1.001))]);
        comparison.add("HTB", &[(rows[0], arrival(1.0)), (rows[1], arrival(1.0))]);
        comparison.add("nft", &[(rows[0], arrival(1.0)), (rows[1], too_little)]);
        let text = comparison.markdown();
        assert_eq!(comparison.missed(), 1, "{text}");
        assert_eq!(Comparison::new(limiters, Vec::new(), rows).missed(), 2, "nothing was offered");
        let found = |row: &[&str]| {
            let is_row = |line: &str| row.iter().all(|cell| line.contains(cell));
            assert!(text.lines().any(is_row), "no line with {row:?} in:\n{text}");
        };
        found(&["* police: left out. no module."]);
        found(&["64 B", "up IPv4", "+0.70 ±0.00", "not offered", "| HTB, nft"]);
        found(&["64 B", "up IPv6", "+0.10 ±0.00", "not offered", "| throttle, HTB"]);
        found(&[
            "2 of 2 rows could be offered to throttle and a peer, 1 to nft, 0 to hashlimit.",
            "in 1 level",
            "in 1 a peer is better",
            "1 rows miss",
        ]);
        found(&["A peer is better in: 1mbit, 64 B, 1 flow, up IPv4."]);
    }
}
