//! The order in which limiters take turns, and what is measured once more.

use std::time::Instant;

use anyhow::Result;

use super::batch::Arrival;
use super::comparison::Comparison;
use super::limiters::Limiter;
use super::matrix::Row;

/// Rows that a limiter is measured with at once.
pub struct Turn {
    /// Who holds them.
    pub limiter: &'static dyn Limiter,
    /// The rows.
    pub rows: Vec<Row>,
}

/// The batches of each of `limiters`: the first of each, then the second.
pub fn in_turn(limiters: &[&'static dyn Limiter], batches: &[Vec<Vec<Row>>]) -> Vec<Turn> {
    let most = batches.iter().map(Vec::len).max().unwrap_or_default();
    let turn = |number: usize| {
        let of_each = limiters.iter().zip(batches);
        of_each.filter_map(move |(&limiter, batches)| {
            batches.get(number).map(|rows| Turn { limiter, rows: rows.clone() })
        })
    };
    (0..most).flat_map(turn).collect()
}

/// Measures all `turns` as often as `runs` says. A row of which too little was offered in one of the runs, but enough in
/// another, is measured once more for that at the end: only then does it count, as a run without an error.
pub fn take_all(
    comparison: &mut Comparison,
    turns: &[Turn],
    runs: u32,
    mut measure: impl FnMut(&'static dyn Limiter, &[Row]) -> Result<Vec<Arrival>>,
) -> Result<()> {
    let started = Instant::now();
    let is_enough = |(row, arrival): &(Row, Arrival)| arrival.is_enough(row);
    let mut take = |of: &str, limiter: &'static dyn Limiter, rows: &[Row]| {
        let arrivals = measure(limiter, rows)?;
        let measured: Vec<_> = rows.iter().copied().zip(arrivals).collect();
        let short = measured.iter().filter(|it| !is_enough(it)).count();
        let (seconds, name) = (started.elapsed().as_secs(), limiter.name());
        let (count, first) = (rows.len(), rows[0]);
        eprintln!(
            "{seconds} s: {of}, {name}: {count} rows from {first}; too little offered: {short}"
        );
        anyhow::Ok(measured)
    };
    let mut all_short = Vec::new();
    for run in 1..=runs {
        for (number, Turn { limiter, rows }) in (1..).zip(turns) {
            let of = format!("run {run} of {runs}, batch {number} of {}", turns.len());
            let measured = take(&of, *limiter, rows)?;
            let (enough, short): (Vec<_>, Vec<_>) = measured.into_iter().partition(is_enough);
            comparison.add(limiter.name(), &enough);
            all_short.push((*limiter, short));
        }
    }
    for (limiter, short) in all_short {
        let name = limiter.name();
        let (again, never): (Vec<_>, Vec<_>) =
            short.into_iter().partition(|(row, _)| comparison.has_error(name, row));
        comparison.add(name, &never);
        if !again.is_empty() {
            let rows: Vec<_> = again.into_iter().map(|(row, _)| row).collect();
            comparison.add(name, &take("once more", limiter, &rows)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{in_turn, take_all};
    use crate::accuracy::batch::Arrival;
    use crate::accuracy::comparison::Comparison;
    use crate::accuracy::limiters::ALL;
    use crate::accuracy::matrix::Row;

    #[test]
    fn limiters_take_turns_until_all_their_batches_are_taken() {
        let all = Row::all();
        let batches = [vec![all[..2].to_vec()], vec![all[..1].to_vec(), all[1..2].to_vec()]];
        let turns = in_turn(&ALL[..2], &batches);
        let found: Vec<_> =
            turns.iter().map(|turn| (turn.limiter.name(), &turn.rows[..])).collect();
        let [ours, other] = [ALL[0].name(), ALL[1].name()];
        assert_eq!(found, [(ours, &all[..2]), (other, &all[..1]), (other, &all[1..2])]);
    }

    #[test]
    fn what_could_be_offered_in_some_runs_only_is_measured_once_more_at_the_end() {
        let rows = &Row::all()[..3];
        let mut comparison = Comparison::new(&ALL[..1], Vec::new(), rows);
        let turns = in_turn(&ALL[..1], &[vec![rows[..2].to_vec(), rows[2..].to_vec()]]);
        let mut asked = Vec::new();
        let measure = |_, batch: &[Row]| {
            asked.push(batch.to_vec());
            // The second row cannot be offered at its first attempt, the third never.
            let attempts = |row: &Row| asked.iter().flatten().filter(|it| *it == row).count();
            let is_offered = |row: &Row| *row == rows[0] || *row == rows[1] && attempts(row) > 1;
            let arrival = |row: &Row| {
                let limit = row.limit as f64;
                let offered = if is_offered(row) { 2.0 } else { 1.1 } * limit;
                Arrival { offered, arrived: limit }
            };
            Ok(batch.iter().map(arrival).collect())
        };
        take_all(&mut comparison, &turns, 2, measure).expect("measured");
        let run = [&rows[..2], &rows[2..]];
        assert_eq!(asked, [&run[..], &run[..], &[&rows[1..2]]].concat());
        assert_eq!(comparison.missed(), 1, "{}", comparison.markdown());
    }
}
