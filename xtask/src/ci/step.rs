//! The steps: those of every change, and all there are.

use anyhow::Result;

use crate::bench::{self, Name};
use crate::test::{Extent, Selection, Skipped, Tally};
use crate::verify::Recording;
use crate::vmtest::Kernel;
use crate::{demo, fuzz, lint, package, test, verify, vmtest};

/// One check.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Counts the tests that it runs.
    pub(super) run: fn(&mut Tally) -> Result<()>,
}

const fn step(name: &'static str, run: fn(&mut Tally) -> Result<()>) -> Step {
    Step { name, run }
}

/// For every change: within 40 minutes on two processors, from a fresh machine.
pub(super) const SHORT: &[Step] = &[
    step("lint", |_| lint::run()),
    step("test", |tally| test::measure(Selection::default(), Extent::Short, Skipped::Fails, tally)),
    step("demo", |_| demo::check()),
    step("package", |_| package::run(true)),
    step("vmtest", |tally| {
        vmtest::measure(&[Kernel::Linux6_1], Some("prog_verify"), Recording::Nothing, tally)
    }),
];

/// Suites that bring about faults, and those among them that walk every step: they take hours.
const FAULTS: &str = "faults_";
const FAULT_STEPS: &str = "faults_steps";

/// Runs the tests whose names have `filter` in them, and suites not `without`.
fn test_fully(filter: Option<&str>, without: Option<&str>, tally: &mut Tally) -> Result<()> {
    test::measure(Selection { filter, without }, Extent::Full, Skipped::Fails, tally)
}

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 600;

/// All there are: hours. What they find goes to the pages under `docs/`.
pub(super) const FULL: &[Step] = &[
    step("lint", |_| lint::run()),
    step("test", |tally| test_fully(None, Some(FAULTS), tally)),
    step("faults", |tally| test_fully(Some(FAULTS), Some(FAULT_STEPS), tally)),
    step("fault-steps", |tally| test_fully(Some(FAULT_STEPS), None, tally)),
    step("demo", |_| demo::check()),
    step("package", |_| package::run(true)),
    step("verify", |_| verify::run(Recording::Page, Skipped::Fails)),
    step("vmtest", |tally| vmtest::measure(&[], None, Recording::Page, tally)),
    step("fuzz", |_| fuzz::run(None, FUZZ_SECONDS)),
    step("bench-path", |_| bench::record(Name::Path, &[])),
    step("bench-policy", |_| bench::record(Name::Policy, &[])),
    step("bench-agent", |_| bench::record(Name::Agent, &[])),
    step("bench-attack", |_| bench::record(Name::Attack, &[])),
    step("bench-router", |_| bench::record(Name::Router, &[])),
    step("bench-accuracy", |_| bench::record(Name::Accuracy, &[])),
    step("bench-guest-udp", |_| bench::record(Name::GuestUdp, &[])),
    step("bench-tcp", |_| bench::record(Name::Tcp, &[])),
];
