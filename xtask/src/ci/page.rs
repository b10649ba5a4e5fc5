//! The tables of `docs/ci.md`: what became of each step of a run when it last ran.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::SETUP;
use super::report::Outcome;
use super::step::Step;
use crate::docs::{Draft, Origin, Section};

const HEADER: &str = "| step | outcome | minutes | date | of | on |\n\
                      | --- | --- | ---: | --- | --- | --- |\n";

/// Of a run whose steps are recorded.
pub(super) struct Page {
    draft: Draft,
    /// All that there are, in order.
    steps: Vec<&'static str>,
    /// What kept rows from being written.
    faults: Vec<String>,
}

impl Page {
    /// The table of the short run or of the full one, whose steps are `steps`.
    pub(super) fn open(full: bool, steps: &[Step]) -> Result<Self> {
        let draft = Section { page: "ci", name: if full { "full" } else { "short" } }.open()?;
        let steps = [SETUP].into_iter().chain(steps.iter().map(|step| step.name)).collect();
        Ok(Self { draft, steps, faults: Vec::new() })
    }

    /// Writes the row of a step that has ended, and where it began; rows of other steps stay. What goes wrong is kept
    /// for the end, as there are steps to come that take no page.
    pub(super) fn record(&mut self, outcome: &Outcome, origin: Result<Origin>) {
        let written = origin.and_then(|origin| {
            let row = row(outcome, &origin);
            self.draft.edit(|table| renewed(table, &self.steps, outcome.name, &row))
        });
        if let Err(error) = written {
            self.faults.push(format!("the row of {}: {error:#}", outcome.name));
        }
    }

    /// Fails if a row could not be written.
    pub(super) fn close(self) -> Result<()> {
        let Self { faults, .. } = self;
        ensure!(faults.is_empty(), "docs/ci.md lacks {}", faults.join("; "));
        Ok(())
    }
}

fn row(outcome: &Outcome, origin: &Origin) -> String {
    let minutes = format!("{:.1}", outcome.duration.as_secs_f64() / 60.0);
    let Origin { date, commit, machine } = origin;
    let cells = [outcome.name, outcome.word(), &minutes, date, commit, machine];
    format!("| {} |", cells.join(" | "))
}

/// `table` with `row` as that of step `name`, in the order of `steps`, and how long all of them take.
fn renewed(table: &str, steps: &[&str], name: &str, row: &str) -> String {
    let known = |step: &str| {
        let start = format!("| {step} |");
        table.lines().find(|line| line.starts_with(&start))
    };
    let row_of = |step: &&str| if *step == name { Some(row) } else { known(step) };
    let rows: Vec<_> = steps.iter().filter_map(row_of).collect();
    let minutes = rows.iter().filter_map(|row| row.split(" | ").nth(2)?.parse::<f64>().ok());
    let minutes = minutes.sum::<f64>();
    let mut text = HEADER.to_owned();
    for row in &rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{row}");
    }
    let (count, all) = (rows.len(), steps.len());
    text + &format!("\n{count} of {all} steps, {minutes:.0} minutes together.")
}

#[cfg(test)]
mod tests {
    use super::{Section, renewed};

    #[test]
    fn a_step_has_one_row_in_the_order_of_steps_and_others_keep_theirs() {
        let steps = ["a", "b", "c"];
        let one = renewed("", &steps, "b", "| b | failed | 1.0 | d | c | m |");
        let two = renewed(&one, &steps, "a", "| a | ok | 2.4 | d | c | m |");
        let three = renewed(&two, &steps, "b", "| b | ok | 3.2 | e | c | m |");
        let rows: Vec<_> = three.lines().skip(2).collect();
        let expected = ["| a | ok | 2.4 | d | c | m |", "| b | ok | 3.2 | e | c | m |", ""];
        assert_eq!(rows[..3], expected);
        assert_eq!(rows[3], "2 of 3 steps, 6 minutes together.");
        assert_eq!(renewed(&three, &steps, "b", rows[1]), three);
        let without_b = renewed(&three, &["a", "c"], "c", "| c | ok | 0.1 | e | c | m |");
        assert!(!without_b.contains("| b |"), "{without_b}");
    }

    #[test]
    fn either_run_has_its_section() {
        for name in ["short", "full"] {
            Section { page: "ci", name }.check().unwrap();
        }
    }
}
