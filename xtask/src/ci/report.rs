//! What became of the steps of one run.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The steps up to now.
#[derive(Debug, Default)]
pub(super) struct Report {
    outcomes: Vec<Outcome>,
}

/// One step that has ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    pub(super) duration: Duration,
    pub(super) is_good: bool,
}

impl Outcome {
    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        if self.is_good { "ok" } else { "failed" }
    }
}

impl Report {
    /// Performs `task`, and returns what became of it.
    pub(super) fn step(
        &mut self,
        name: &'static str,
        task: impl FnOnce() -> Result<()>,
    ) -> &Outcome {
        eprintln!("ci: {name}");
        let start = Instant::now();
        let outcome = task();
        if let Err(error) = &outcome {
            eprintln!("error: {name}: {error:#}");
        }
        let (duration, is_good) = (start.elapsed(), outcome.is_ok());
        self.outcomes.push_mut(Outcome { name, duration, is_good })
    }

    pub(super) fn print(&self) {
        for outcome in &self.outcomes {
            let Outcome { name, duration, .. } = outcome;
            eprintln!("ci: {name:<16} {:>7.1} s  {}", duration.as_secs_f64(), outcome.word());
        }
    }

    pub(super) fn into_result(self) -> Result<()> {
        let failed: Vec<_> = self
            .outcomes
            .iter()
            .filter(|outcome| !outcome.is_good)
            .map(|outcome| outcome.name)
            .collect();
        ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
        Ok(())
    }
}
