//! `cargo xtask test`: the host's suites, then the suites with real traffic.

mod suite;
mod tally;

use anyhow::{Result, ensure};

use crate::{build, exec, setup};

pub(crate) use suite::MUST_RUN;
pub(crate) use tally::{Reader, Skipped, Tally};

/// Unit and property tests of the parts, in parallel.
const HOST: [&str; 7] = ["test", "-p", "throttle-common", "-p", "throttle-agent", "-p", "xtask"];

/// Tests that share the machine's namespaces, links and bpffs: optimised, as they also make and
/// measure the traffic, and one at a time.
const TRAFFIC: [&str; 4] = ["test", "--release", "-p", "throttle-tests"];

/// Tests that need kernel features which few machines have run in `cargo xtask vmtest`, and nowhere else.
const TRAFFIC_HARNESS: [&str; 3] = ["--test-threads=1", "--skip", "guest_"];

/// Tells tests that they run in a guest of `cargo xtask vmtest`.
pub(crate) const IN_GUEST: &str = "THROTTLE_TESTS_IN_GUEST";

/// Runs the tests whose name contains `filter` and ends with a line `N passed, N failed`.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    let mut tally = Tally::default();
    let outcome = measure(filter, Skipped::IsTold, &mut tally);
    println!("{tally}");
    outcome
}

/// Runs the tests and counts them in `tally`, also when this returns an error.
pub(crate) fn measure(filter: Option<&str>, skipped: Skipped, tally: &mut Tally) -> Result<()> {
    exec::require_root("test")?;
    setup::run(setup::For::Tests)?;
    build::agent()?;
    let host = suite::run(&HOST, filter, &[], skipped, tally);
    let traffic = suite::run(&TRAFFIC, filter, &TRAFFIC_HARNESS, skipped, tally);
    host.and(traffic)?;
    ensure!(tally.failed == 0, "tests failed: {}", tally.failed);
    ensure!(
        *tally != Tally::default(),
        "no test's name contains `{}`; hint: tests named guest_ run in `cargo xtask vmtest`",
        filter.unwrap_or_default()
    );
    Ok(())
}
