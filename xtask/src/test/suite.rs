//! One call of `cargo test`, shown as it goes and counted.

use std::io::{BufRead as _, BufReader, Read};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::tally::{Reader, Skipped, Tally};
use super::{Extent, FULL};
use crate::{exec, workspace};

/// Tells tests that leaving anything out is a failure.
pub(crate) const MUST_RUN: &str = "THROTTLE_TESTS_MUST_RUN";

/// What is run, and how.
pub(super) struct Call<'a> {
    /// Arguments of cargo.
    pub(super) cargo: &'a [&'a str],
    /// A part of the names of the tests to run.
    pub(super) filter: Option<&'a str>,
    /// Arguments of the test binaries.
    pub(super) harness: &'a [&'a str],
    pub(super) extent: Extent,
    pub(super) skipped: Skipped,
}

/// Makes the call and adds its results to `tally`. A failed test is no error here; anything else that makes cargo
/// fail is.
pub(super) fn run(call: &Call<'_>, tally: &mut Tally) -> Result<()> {
    let Call { cargo: arguments, filter, harness, extent, skipped } = *call;
    let line = format!("cargo {}", arguments.join(" "));
    let mut cargo = workspace::cargo()?;
    cargo.args(arguments).arg("--no-fail-fast").args(filter);
    // Without --show-output a passing test's SKIPPED line stays hidden.
    cargo.args(["--", "--show-output"]).args(harness).stdout(Stdio::piped());
    if skipped == Skipped::Fails {
        cargo.env(MUST_RUN, "1");
    }
    if extent == Extent::Full {
        cargo.env(FULL, "1");
    }
    let mut child = cargo.spawn().with_context(|| format!("cannot start `{line}`"))?;
    let mut reader = Reader::default();
    if let Some(stdout) = child.stdout.take() {
        show_and_read(stdout, &mut reader).with_context(|| format!("reading `{line}`"))?;
    }
    let status = child.wait().with_context(|| format!("waiting for `{line}`"))?;
    let results = reader.tally(skipped);
    tally.add(&results);
    let is_explained = status.success() || results.failed > 0;
    ensure!(is_explained, "`{line}` ended with {status} although no test failed");
    Ok(())
}

/// The names of the tests, of those that contain `filter`.
pub(super) fn names(cargo_arguments: &[&str], filter: Option<&str>) -> Result<Vec<String>> {
    exec::run(workspace::cargo()?.args(cargo_arguments).arg("--no-run"), "building the suites")?;
    let mut cargo = workspace::cargo()?;
    cargo.args(cargo_arguments).args(filter).args(["--", "--list"]);
    let listing = exec::output(&mut cargo, "listing the tests")?;
    Ok(listed(&listing).map(str::to_owned).collect())
}

/// The names in a list of tests: `netns::a: test`.
pub(crate) fn listed(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| line.strip_suffix(": test"))
}

fn show_and_read(output: impl Read, reader: &mut Reader) -> Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if reader.read(text.trim_end()) {
            print!("{text}");
        }
        line.clear();
    }
    Ok(())
}
