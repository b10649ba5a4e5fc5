//! `cargo xtask ci`: every check, with the time that each takes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::test::{Skipped, Tally};
use crate::{demo, exec, lint, package, setup, test};

/// Runs all steps even if one fails, so that one run shows all there is to mend. The tally of
/// the tests is the last line on stdout.
pub(crate) fn run() -> Result<()> {
    exec::require_root("ci")?;
    let mut report = Report::default();
    let mut tally = Tally::default();
    report.step("setup", || setup::run(setup::For::Tests));
    if report.failed.is_empty() {
        report.step("lint", lint::run);
        report.step("test", || test::measure(None, Skipped::Fails, &mut tally));
        report.step("demo", demo::check);
        report.step("package", || package::run(true));
    }
    report.print();
    println!("{tally}");
    ensure!(report.failed.is_empty(), "failed: {}", report.failed.join(", "));
    Ok(())
}

#[derive(Default)]
struct Report {
    durations: Vec<(&'static str, Duration)>,
    failed: Vec<&'static str>,
}

impl Report {
    fn step(&mut self, name: &'static str, task: impl FnOnce() -> Result<()>) {
        eprintln!("ci: {name}");
        let start = Instant::now();
        if let Err(error) = task() {
            eprintln!("error: {name}: {error:#}");
            self.failed.push(name);
        }
        self.durations.push((name, start.elapsed()));
    }

    fn print(&self) {
        for (name, duration) in &self.durations {
            let outcome = if self.failed.contains(name) { "failed" } else { "ok" };
            eprintln!("ci: {name:<7} {:>7.1} s  {outcome}", duration.as_secs_f64());
        }
    }
}
