//! `cargo xtask test`: the host's suites, then the suites with real traffic.

mod suite;
mod tally;

use std::collections::BTreeMap;

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

/// How many tests run at a time, by what their names begin with; the first that fits counts. Each has a namespace and
/// an instance of its own. Floods of 1 Gbit/s take all of a small machine, and windows of 50 ms show what others take;
/// other measurements of rates leave room for one beside them.
const AT_A_TIME: [(&str, u32); 4] = [
    ("traffic_flood", 1),
    ("traffic_live", 1),
    ("traffic_levels::a_changed_group", 1),
    ("traffic_", 2),
];

/// How many of all other tests do.
const OTHERS_AT_A_TIME: u32 = 3;

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
    let mut run_suites = |(at_a_time, names): (u32, Vec<String>)| {
        let threads = format!("--test-threads={at_a_time}");
        let names = names.iter().map(String::as_str);
        run(&SUITES, None, &["--exact", &threads].into_iter().chain(names).collect::<Vec<_>>())
    };
    // All run, whatever becomes of those before.
    let suites = suites(selection)?.into_iter().rev().map(&mut run_suites);
    suites.fold(host, Result::and)?;
    ensure!(tally.failed == 0, "tests failed: {}", tally.failed);
    ensure!(
        *tally != Tally::default(),
        "no test's name contains `{}`; hint: tests named guest_ run in `cargo xtask vmtest`",
        filter.unwrap_or_default()
    );
    Ok(())
}

/// The tests of the suites that run here, by how many run at a time.
fn suites(selection: Selection<'_>) -> Result<BTreeMap<u32, Vec<String>>> {
    let is_left_out = |name: &str| selection.without.is_some_and(|part| name.contains(part));
    let mut names = suite::names(&SUITES, selection.filter)?;
    names.retain(|name| !name.starts_with(GUEST) && !is_left_out(name));
    Ok(grouped(names))
}

fn grouped(names: Vec<String>) -> BTreeMap<u32, Vec<String>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for name in names {
        let fitting = AT_A_TIME.iter().find(|(start, _)| name.starts_with(start));
        let at_a_time = fitting.map_or(OTHERS_AT_A_TIME, |(_, at_a_time)| *at_a_time);
        groups.entry(at_a_time).or_default().push(name);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn suites_that_measure_have_less_beside_them() {
        let names = ["prog_rates::a", "traffic_flood::b", "traffic_tcp::c", "faults_disk::d"];
        let groups = grouped(names.map(str::to_owned).into());
        assert_eq!(groups[&1], ["traffic_flood::b"]);
        assert_eq!(groups[&2], ["traffic_tcp::c"]);
        assert_eq!(groups[&3], ["prog_rates::a", "faults_disk::d"]);
    }
}
