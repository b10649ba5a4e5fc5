//! `cargo xtask vmtest`: suites in virtual machines, on kernels and with kernel features that this machine lacks. A
//! benchmark that takes such features runs there as well.

mod apt;
mod bench;
mod cpio;
mod guest;
mod initramfs;
mod kernel;
mod modules;
mod payload;
mod qemu;

use std::env::consts::ARCH;
use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;

use crate::test::Tally;
use crate::{setup, workspace};
use payload::Payload;

pub(crate) use bench::tcp as bench_tcp;
pub(crate) use kernel::Kernel;

/// Runs the suites on each of `kernels`, or on all; ends with a line `N passed, N failed`.
pub(crate) fn run(kernels: &[Kernel], filter: Option<&str>) -> Result<()> {
    let mut tally = Tally::default();
    let outcome = measure(kernels, filter, &mut tally);
    println!("{tally}");
    outcome
}

/// Runs the suites and counts their tests in `sum`, also when this returns an error.
pub(crate) fn measure(kernels: &[Kernel], filter: Option<&str>, sum: &mut Tally) -> Result<()> {
    ensure!(ARCH == "x86_64", "the kernels are for x86_64, this machine is {ARCH}");
    setup::run(setup::For::VirtualMachines)?;
    let payload = Payload::build(filter)?;
    let kernels = if kernels.is_empty() { Kernel::value_variants() } else { kernels };
    let mut failed = Vec::new();
    for &kernel in kernels {
        match run_on(kernel, &payload) {
            Ok(tally) => {
                if tally.failed > 0 {
                    failed.push(kernel.name());
                }
                sum.add(&tally);
            }
            Err(error) => {
                eprintln!("error: on the kernel {}: {error:#}", kernel.name());
                failed.push(kernel.name());
            }
        }
    }
    ensure!(failed.is_empty(), "failed on the kernels: {}", failed.join(", "));
    Ok(())
}

fn run_on(kernel: Kernel, payload: &Payload) -> Result<Tally> {
    let files = kernel::fetch(kernel)?;
    let initramfs = workspace::root()?.join(format!("target/vm/{}.cpio", kernel.name()));
    initramfs::write(&initramfs, &files, &payload.content(kernel))?;
    eprintln!("vmtest: booting {} under software emulation", files.release);
    let start = Instant::now();
    let outcome =
        qemu::Machine::boot(&files.image, &initramfs, qemu::Clock::Wall).and_then(guest::follow);
    fs::remove_file(&initramfs).with_context(|| format!("removing {}", initramfs.display()))?;
    let guest::Outcome { tally, data } = outcome?;
    for (kind, value) in data {
        eprintln!("vmtest: kernel {}: {kind} {value}", kernel.name());
    }
    let seconds = start.elapsed().as_secs();
    eprintln!("vmtest: kernel {} ({}): {tally} in {seconds} s", kernel.name(), files.release);
    Ok(tally)
}
