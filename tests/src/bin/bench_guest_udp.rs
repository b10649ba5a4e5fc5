//! Measures how exactly UDP is held to limits where every limiter can be had: in the guests of `cargo xtask bench
//! guest-udp`. It tells what each limiter made of all rows in a line; what was told becomes tables with `--report`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use throttle_tests::accuracy::guest_udp::{Report, measure, rows};
use throttle_tests::accuracy::limiters;
use throttle_tests::bars::exit_code;
use throttle_tests::{guest, interrupt};

/// Benchmark of the accuracy of limits, in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// How long each row is measured, once every burst is spent
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Which run this is, from 1: runs differ in when rows start
    #[arg(long, default_value_t = 1)]
    run: u32,
    /// Whose limits beside ours: police, HTB, nft, hashlimit
    #[arg(long, value_delimiter = ',', default_value = "police,HTB,nft,hashlimit")]
    peers: Vec<String>,
    /// Only rows of which the name, such as `10mbit, 64 B, 1 flow, up IPv4`, contains this text
    #[arg(long, default_value = "")]
    only: String,
    /// Print tables of what is in this JSON file instead of measuring
    #[arg(long)]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| match &options.report {
        Some(file) => report(file),
        None => bench(&options),
    })
}

fn bench(options: &Options) -> Result<ExitCode> {
    let Options { seconds, run, ref peers, ref only, .. } = *options;
    ensure!(seconds > 0, "--seconds takes at least 1");
    let rows = rows(only);
    ensure!(
        !rows.is_empty(),
        "--only {only}: no row has that in its name; accepted: a part of a name such as `10mbit, 64 B, 1 flow, up IPv4`"
    );
    for limiter in limiters::with_peers(limiters::ALL, peers)? {
        let told = measure(limiter, &rows, seconds, run);
        let told = told.with_context(|| format!("measuring {}", limiter.name()))?;
        eprintln!("{told}");
        guest::tell("told", &told)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(file: &Path) -> Result<ExitCode> {
    let report = Report::of(&guest::told(file)?)?;
    println!("{report}");
    Ok(exit_code(report.missed()))
}
