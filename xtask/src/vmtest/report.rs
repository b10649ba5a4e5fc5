//! What `vmtest` prints at its end, and what it records.

use anyhow::{Context as _, Result, ensure};

use super::guest::Outcome;
use super::kernel::Kernel;
use super::plan::{AREAS, Area, Plan};
use crate::docs::Section;
use crate::markdown;
use crate::verify::{Kept, Verification, figures};

/// Where the text of a whole run is kept.
pub(super) const SECTION: Section = Section { page: "kernels", name: "vmtest" };

/// What was run on one kernel.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) kernel: Kernel,
    /// As `uname -r` prints it.
    pub(super) release: String,
    pub(super) plan: Plan,
    pub(super) outcome: Outcome,
    pub(super) seconds: u64,
}

impl Ran {
    /// Checks that all tests passed that had to.
    pub(super) fn check(&self) -> Result<()> {
        self.plan.check(&self.outcome.passed)?;
        let failed = self.outcome.tally.failed;
        ensure!(failed == 0, "{failed} tests failed, or could not run");
        Ok(())
    }

    /// What the verifier made of the program there.
    fn verified(&self) -> Result<Option<Verification>> {
        let told = self.outcome.data.iter().find(|(kind, _)| kind == "verified");
        let parse = |(_, value): &(_, serde_json::Value)| serde_json::from_value(value.clone());
        let parsed = told.map(parse).transpose();
        parsed.with_context(|| format!("reading what {} told of its verifier", self.kernel.name()))
    }

    /// Why tests were left out, each reason with how many.
    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<_> = self.plan.left_out.iter().map(|(_, reason)| *reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let count =
            |reason: &str| self.plan.left_out.iter().filter(|(_, other)| *other == reason).count();
        let told = |reason: &&str| {
            format!("* {} leaves out {}: {reason}.\n", self.kernel.name(), count(reason))
        };
        reasons.iter().map(told).collect()
    }
}

/// Tables of tests, of what they are about, and of the verifier's figures.
pub(super) fn text(all: &[Ran], kept: &Kept) -> Result<String> {
    let reasons = all.iter().flat_map(Ran::reasons).collect::<String>();
    let tables = [tests(all), reasons, areas(all), verifier(all, kept)?];
    let tables: Vec<_> = tables.into_iter().filter(|table| !table.is_empty()).collect();
    Ok(tables.join("\n"))
}

fn tests(all: &[Ran]) -> String {
    let rows = all.iter().map(|ran| {
        let tally = &ran.outcome.tally;
        vec![
            ran.kernel.name().to_owned(),
            ran.release.clone(),
            tally.passed.to_string(),
            tally.failed.to_string(),
            tally.skipped.to_string(),
            format!("{} s", ran.seconds),
        ]
    });
    let header = ["kernel", "release", "passed", "failed", "left out", "time"];
    markdown::table(&header, 2, &rows.collect::<Vec<_>>())
}

fn areas(all: &[Ran]) -> String {
    let header: Vec<_> =
        ["tests of"].into_iter().chain(all.iter().map(|ran| ran.kernel.name())).collect();
    let is_planned = |area: &&Area| all.iter().any(|ran| ran.plan.knows(area));
    let rows = AREAS.iter().filter(is_planned).map(|area| {
        let cells = all.iter().map(|ran| cell(ran, area));
        [area.name.to_owned()].into_iter().chain(cells).collect()
    });
    markdown::table(&header, 1, &rows.collect::<Vec<_>>())
}

fn cell(ran: &Ran, area: &Area) -> String {
    match (area.count(&ran.outcome.passed), ran.plan.count(area)) {
        (_, 0) if !ran.plan.knows(area) => String::new(),
        (_, 0) => "left out".to_owned(),
        (passed, wanted) if passed == wanted => format!("{passed} passed"),
        (passed, wanted) => format!("{passed} of {wanted}"),
    }
}

fn verifier(all: &[Ran], kept: &Kept) -> Result<String> {
    let mut rows = Vec::new();
    for ran in all {
        let Some(found) = ran.verified()? else { continue };
        rows.extend(found.entries.iter().map(|entry| {
            let mut row = vec![ran.kernel.name().to_owned(), entry.name.clone()];
            row.extend(figures(&found, entry, kept));
            row
        }));
    }
    let header = ["kernel", "program", "instructions", "on record", "", "stack"];
    Ok(if rows.is_empty() { String::new() } else { markdown::table(&header, 2, &rows) })
}

/// Makes the verifiers' figures the record.
pub(super) fn record_figures(all: &[Ran], kept: &mut Kept) -> Result<()> {
    for ran in all {
        let found = ran.verified()?;
        let found = found.with_context(|| format!("{} told of no verifier", ran.kernel.name()))?;
        kept.set(&found);
    }
    kept.write()
}
