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

/// Measures all `turns` as often as `runs` says, and after each run once more those rows of which too little was
/// offered: only then do they count, as a run without an error.
pub fn take_all(
    comparison: &mut Comparison,
    turns: &[Turn],
    runs: u32,
    mut measure: impl FnMut(&'static dyn Limiter, &[Row]) -> Result<Vec<Arrival>>,
) -> Result<()> {
    let started = Instant::now();
    let is_enough = |(row, arrival): &(Row, Arrival)| arrival.is_enough(row);
    let mut take = |of: &str, turn: &Turn| {
        let arrivals = measure(turn.limiter, &turn.rows)?;
        let measured: Vec<_> = turn.rows.iter().copied().zip(arrivals).collect();
        let short = measured.iter().filter(|it| !is_enough(it)).count();
        let (seconds, name) = (started.elapsed().as_secs(), turn.limiter.name());
        let (count, first) = (turn.rows.len(), turn.rows[0]);
        eprintln!(
            "{seconds} s: {of}, {name}: {count} rows from {first}; too little offered: {short}"
        );
        anyhow::Ok(measured)
    };
    for run in 1..=runs {
        let mut again = Vec::new();
        for (number, turn) in (1..).zip(turns) {
            let of = format!("run {run} of {runs}, batch {number} of {}", turns.len());
            let (enough, short): (Vec<_>, Vec<_>) =
                take(&of, turn)?.into_iter().partition(is_enough);
            comparison.add(turn.limiter.name(), &enough);
            let rows = short.into_iter().map(|(row, _)| row).collect();
            again.push(Turn { rows, ..*turn });
        }
        again.retain(|turn| !turn.rows.is_empty());
        for (number, turn) in (1..).zip(&again) {
            let of = format!("run {run} of {runs}, once more {number} of {}", again.len());
            comparison.add(turn.limiter.name(), &take(&of, turn)?);
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
    fn what_could_not_be_offered_is_measured_once_more_after_the_run() {
        let rows = &Row::all()[..3];
        let mut comparison = Comparison::new(&ALL[..1], Vec::new(), rows);
        let turns = in_turn(&ALL[..1], &[vec![rows[..2].to_vec(), rows[2..].to_vec()]]);
        let mut asked = Vec::new();
        let measure = |_, batch: &[Row]| {
            asked.push(batch.to_vec());
            // The second row can be offered at its second attempt only, the third never.
            let attempts = |row: &Row| asked.iter().flatten().filter(|it| *it == row).count();
            let is_offered = |row: &Row| *row == rows[0] || *row == rows[1] && attempts(row) == 2;
            let arrival = |row: &Row| {
                let limit = row.limit as f64;
                let offered = if is_offered(row) { 2.0 } else { 1.1 } * limit;
                Arrival { offered, arrived: limit }
            };
            Ok(batch.iter().map(arrival).collect())
        };
        take_all(&mut comparison, &turns, 1, measure).expect("measured");
        assert_eq!(asked, [&rows[..2], &rows[2..], &rows[1..2], &rows[2..]]);
        assert_eq!(comparison.missed(), 1, "{}", comparison.markdown());
    }
}
