//! `cargo xtask`: everything that is done to this repository, from set-up to CI.

mod bench;
mod build;
mod ci;
mod demo;
mod docs;
mod ebpf;
mod exec;
mod fuzz;
mod lint;
mod markdown;
mod package;
mod run;
mod setup;
mod test;
mod verify;
mod vmtest;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use test::Skipped;
use verify::Recording;

/// Builds, tests and runs the throttler. Start with `cargo xtask demo` and `cargo xtask test`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing need: bpf-linker, nightly's rust-src, Debian packages
    Setup,
    /// Build target/release/throttle-agent, with the eBPF program inside
    Build,
    /// Build the agent and run it with ARGS, e.g. `cargo xtask run -- status`
    Run {
        /// Arguments of throttle-agent
        #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Limit real traffic in a throw-away router namespace and print limits against rates (root)
    Demo {
        /// Arguments of the demo
        #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run all tests, on the host and with real traffic in namespaces (root)
    Test {
        /// Run only tests whose name contains FILTER
        filter: Option<String>,
        /// Take as long as `ci --full` does, where a test has a choice
        #[arg(long)]
        full: bool,
    },
    /// Load the program as root and with three capabilities, and print what the verifier makes of it (root)
    Verify {
        /// Make the figures the record of this kernel, in tests/verifier.json and docs/kernels.md
        #[arg(long)]
        record: bool,
    },
    /// Run the fuzz targets of tests/fuzz, or the one that is named
    Fuzz {
        /// Name of a target
        target: Option<String>,
        /// How long each runs
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
    /// Run suites in virtual machines, on other kernels and with their features (root)
    Vmtest {
        /// Debian's kernels to test on; all by default
        #[arg(value_name = "KERNEL")]
        kernels: Vec<vmtest::Kernel>,
        /// Run the tests whose name contains FILTER instead of the suites meant for it
        #[arg(long)]
        filter: Option<String>,
        /// Make the results the record, in tests/verifier.json and docs/kernels.md
        #[arg(long)]
        record: bool,
    },
    /// Run a benchmark and print its table (root)
    Bench {
        name: bench::Name,
        /// Write the table to its page under docs/ as well
        #[arg(long)]
        record: bool,
        /// Arguments of the benchmark
        #[arg(value_name = "ARGS", last = true)]
        arguments: Vec<OsString>,
    },
    /// Make Debian's package and a static archive in target/package
    Package {
        /// Install, use, upgrade and purge the package in containers as well (root)
        #[arg(long)]
        check: bool,
    },
    /// Check formatting, lock files, clippy on the host and the eBPF crates, licences and sources
    Lint,
    /// Run what CI runs: setup, lint, test, demo, package, vmtest; a skipped test counts as failed (root)
    Ci {
        /// Run all there is, for hours, and write what it finds to the pages under docs/
        #[arg(long)]
        full: bool,
        /// Write how each step ended, and how long it took, to docs/ci.md, as --full always does
        #[arg(long)]
        record: bool,
        /// Run only the step called so; may be repeated
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    match task {
        Task::Setup => setup::run(setup::For::Tests),
        Task::Build => build::run(),
        Task::Run { arguments } => run::run(&arguments),
        Task::Demo { arguments } => demo::run(&arguments),
        Task::Test { filter, full } => {
            let extent = if full { test::Extent::Full } else { test::Extent::Short };
            test::run(filter.as_deref(), extent)
        }
        Task::Verify { record } => verify::run(Recording::asked_for(record), Skipped::IsTold),
        Task::Vmtest { kernels, filter, record } => {
            vmtest::run(&kernels, filter.as_deref(), Recording::asked_for(record))
        }
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Task::Bench { name, record: false, arguments } => bench::run(name, &arguments),
        Task::Bench { name, record: true, arguments } => bench::record(name, &arguments),
        Task::Package { check } => package::run(check),
        Task::Lint => lint::run(),
        Task::Ci { full, record, only } => ci::run(full, full || record, &only),
    }
}
