//! `cargo xtask test`: the host's suites, then the suites with real traffic.

mod suite;
mod tally;

use anyhow::{Result, ensure};

use crate::{build, exec, setup};

use suite::Call;
pub(crate) use suite::{MUST_RUN, listed};
pub(crate) use tally::{Reader, Skipped, Tally};

/// Unit and property tests of the parts, in parallel.
const HOST: [&str; 7] = ["test", "-p", "throttle-common", "-p", "throttle-agent", "-p", "xtask"];

/// What tests are made of, and suites that run the agent and its program: optimised, as they also make and measure
/// traffic.
const HARNESS: [&str; 5] = ["test", "--release", "-p", "throttle-tests", "--lib"];
const SUITES: [&str; 6] = ["test", "--release", "-p", "throttle-tests", "--test", "suites"];

/// Suites that run only in the guests of `cargo xtask vmtest`.
const GUEST: &str = "guest_";

/// Suites that measure traffic run one test at a time. The others measure nothing, and each of their tests has a
/// namespace and an instance of its own: a few at a time, since they mostly wait.
const ALONE: [&str; 2] = ["traffic_", "faults_"];

/// Tells tests to take the time that a full run has.
pub(crate) const FULL: &str = "THROTTLE_TESTS_FULL";

/// How much tests with a choice do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What fits into every run.
    Short,
    /// All there is.
    Full,
}

/// Tells tests that they run in a guest of `cargo xtask vmtest`.
pub(crate) const IN_GUEST: &str = "THROTTLE_TESTS_IN_GUEST";

/// Which tests run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selection<'a> {
    /// A part of their names; all tests without.
    pub(crate) filter: Option<&'a str>,
    /// What no name of a suite has in it.
    pub(crate) without: Option<&'a str>,
}

/// Runs the tests whose name contains `filter` and ends with a line `N passed, N failed`.
pub(crate) fn run(filter: Option<&str>, extent: Extent) -> Result<()> {
    let mut tally = Tally::default();
    let selection = Selection { filter, without: None };
    let outcome = measure(selection, extent, Skipped::IsTold, &mut tally);
    println!("{tally}");
    outcome
}

/// Runs the tests and counts them in `tally`, also when this returns an error.
pub(crate) fn measure(
    selection: Selection<'_>,
    extent: Extent,
    skipped: Skipped,
    tally: &mut Tally,
) -> Result<()> {
    let filter = selection.filter;
    exec::require_root("test")?;
    setup::run(setup::For::Tests)?;
    build::agent()?;
    build::agent_with_faults()?;
    let mut run = |cargo: &[&str], filter, harness: &[&str]| {
        suite::run(&Call { cargo, filter, harness, extent, skipped }, tally)
    };
    let host = run(&HOST, filter, &[]).and(run(&HARNESS, filter, &[]));
    let (together, alone) = suites(selection)?;
    let mut run_exactly = |names: &[String], threads| {
        if names.is_empty() {
            return Ok(());
        }
        let names = names.iter().map(String::as_str);
        run(&SUITES, None, &["--exact", threads].into_iter().chain(names).collect::<Vec<_>>())
    };
    let together = run_exactly(&together, "--test-threads=3");
    let alone = run_exactly(&alone, "--test-threads=1");
    host.and(together).and(alone)?;
    ensure!(tally.failed == 0, "tests failed: {}", tally.failed);
    ensure!(
        *tally != Tally::default(),
        "no test's name contains `{}`; hint: tests named guest_ run in `cargo xtask vmtest`",
        filter.unwrap_or_default()
    );
    Ok(())
}

/// The tests of the suites that run here: those that may run together, and those that run alone.
fn suites(selection: Selection<'_>) -> Result<(Vec<String>, Vec<String>)> {
    let mut names = suite::names(&SUITES, selection.filter)?;
    let is_left_out = |name: &str| selection.without.is_some_and(|part| name.contains(part));
    names.retain(|name| !name.starts_with(GUEST) && !is_left_out(name));
    let is_alone = |name: &String| ALONE.iter().any(|prefix| name.starts_with(prefix));
    Ok(names.into_iter().partition(|name| !is_alone(name)))
}
