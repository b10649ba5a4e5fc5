//! `cargo xtask vmtest`: suites in virtual machines, on kernels and with kernel features that this machine lacks. A
//! benchmark that takes such features runs there as well.

mod apt;
mod bench;
mod cpio;
mod folder;
mod guest;
mod guest_udp;
mod initramfs;
mod kernel;
mod modules;
mod payload;
mod plan;
mod qemu;
mod report;

use std::env::consts::ARCH;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum as _;

use crate::setup;
use crate::test::Tally;
use crate::verify::{Kept, Recording};
use folder::Folder;
use guest::Outcome;
use kernel::Files;
use payload::Payload;
use qemu::Clock;
use report::Ran;

pub(crate) use bench::tcp as bench_tcp;
pub(crate) use guest_udp::guest_udp as bench_guest_udp;
pub(crate) use kernel::Kernel;

/// Runs the suites on each of `kernels`, or on all, and prints what ran and what the verifiers say. Of what is to be
/// recorded, only what all suites did on all kernels goes to the page, and figures only where all that ran has passed.
/// Ends with a line `N passed, N failed`.
pub(crate) fn run(kernels: &[Kernel], filter: Option<&str>, record: Recording) -> Result<()> {
    let mut tally = Tally::default();
    let outcome = measure(kernels, filter, record, &mut tally);
    println!("{tally}");
    outcome
}

/// As [`run`], and counts the tests in `sum`, also when this returns an error.
pub(crate) fn measure(
    kernels: &[Kernel],
    filter: Option<&str>,
    record: Recording,
    sum: &mut Tally,
) -> Result<()> {
    ensure!(ARCH == "x86_64", "the kernels are for x86_64, this machine is {ARCH}");
    let is_whole = kernels.is_empty() && filter.is_none();
    let to_page = record != Recording::Nothing && is_whole;
    // Another run that has the folder may take hours, and what is checked out change in them.
    let folder = Folder::hold()?;
    let draft = to_page.then(|| report::SECTION.open()).transpose()?;
    setup::run(setup::For::VirtualMachines)?;
    let payload = Payload::build(filter, record == Recording::Figures)?;
    let kernels = if kernels.is_empty() { Kernel::value_variants() } else { kernels };
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for &kernel in kernels {
        let outcome = run_on(&folder, kernel, &payload, filter.is_none()).and_then(|ran| {
            all.push(ran);
            all.last().map_or(Ok(()), Ran::check)
        });
        if let Err(error) = outcome {
            eprintln!("error: on the kernel {}: {error:#}", kernel.name());
            failed.push(kernel.name());
        }
    }
    all.iter().for_each(|ran| sum.add(&ran.outcome.tally));
    let mut kept = Kept::read()?;
    println!("{}", report::text(&all, &kept)?);
    if record == Recording::Figures && failed.is_empty() {
        report::record_figures(&all, &mut kept)?;
    }
    match draft {
        Some(draft) if all.len() == kernels.len() => draft.record(&report::text(&all, &kept)?)?,
        Some(_) => eprintln!("vmtest: docs/kernels.md stays, since not every kernel ran"),
        None if record == Recording::Nothing => {}
        None => eprintln!("vmtest: docs/kernels.md stays: it tells of all suites on all kernels"),
    }
    ensure!(failed.is_empty(), "failed on the kernels: {}", failed.join(", "));
    Ok(())
}

/// Runs the tests of `payload` on one kernel; `is_whole` if they are all that a guest can run.
fn run_on(folder: &Folder, kernel: Kernel, payload: &Payload, is_whole: bool) -> Result<Ran> {
    let plan = payload.plan(kernel);
    if is_whole {
        plan.check_areas()?;
    }
    let files = kernel::fetch(folder, kernel)?;
    for (test, reason) in &plan.left_out {
        println!("SKIPPED: {test}: {reason}");
    }
    let start = Instant::now();
    let mut outcome = Outcome::default();
    for (clock, tests) in plan.guests() {
        outcome.add(boot(folder, &files, payload, clock, &tests)?);
    }
    outcome.tally.skipped += plan.left_out.len() as u64;
    let seconds = start.elapsed().as_secs();
    let tally = &outcome.tally;
    eprintln!("vmtest: kernel {} ({}): {tally} in {seconds} s", kernel.name(), files.release);
    Ok(Ran { kernel, release: files.release, plan, outcome, seconds })
}

/// Runs some tests in a guest.
fn boot(
    folder: &Folder,
    files: &Files,
    payload: &Payload,
    clock: Clock,
    tests: &[&str],
) -> Result<Outcome> {
    let initramfs = folder.scratch("tests.cpio")?;
    initramfs::write(&initramfs, files, &payload.content(tests))?;
    let count = tests.len();
    eprintln!("vmtest: booting {} under software emulation for {count} tests", files.release);
    let machine = qemu::Machine::boot(&files.image, &initramfs, clock)?;
    guest::follow_tests(&machine)
}
