//! The table of `docs/ci.md`: what became of each step of the full run when it last ran.

use anyhow::Result;

use super::report::{Outcome, Report};
use crate::docs::{self, Section};

const TABLE: Section = Section { page: "ci", name: "full" };

const HEADER: &str = "| step | outcome | minutes | date | of |\n| --- | --- | ---: | --- | --- |\n";

/// Writes the row of the last step in `report`; rows of other steps stay.
pub(super) fn record(report: &Report) -> Result<()> {
    let Some(outcome) = report.outcomes.last() else { return Ok(()) };
    let row = row(outcome, &docs::date()?, &docs::commit()?);
    TABLE.edit(|table| renewed(table, outcome.name, &row))
}

fn row(outcome: &Outcome, date: &str, commit: &str) -> String {
    let minutes = outcome.duration.as_secs_f64() / 60.0;
    format!("| {} | {} | {minutes:.1} | {date} | {commit} |", outcome.name, outcome.word())
}

/// `table` with `row` in place of the one of step `name`, or after all others.
fn renewed(table: &str, name: &str, row: &str) -> String {
    let start = format!("| {name} |");
    let old = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    let mut rows: Vec<_> =
        old.map(|line| if line.starts_with(&start) { row } else { line }).collect();
    if !rows.contains(&row) {
        rows.push(row);
    }
    format!("{HEADER}{}", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::renewed;

    #[test]
    fn a_step_has_one_row_and_others_keep_theirs() {
        let one = renewed("", "a", "| a | failed | 1.0 | d | c |");
        let two = renewed(&one, "b", "| b | ok | 2.0 | d | c |");
        let three = renewed(&two, "a", "| a | ok | 3.0 | e | c |");
        let rows: Vec<_> = three.lines().skip(2).collect();
        assert_eq!(rows, ["| a | ok | 3.0 | e | c |", "| b | ok | 2.0 | d | c |"]);
        assert_eq!(renewed(&three, "b", "| b | ok | 2.0 | d | c |"), three);
    }
}
