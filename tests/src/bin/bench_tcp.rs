//! Measures what TCP makes of its limit over paths with a round-trip time, under every limiter, and tells a batch
//! in each line. It takes netem, fq and bbr, which the guests of `cargo xtask bench tcp` have. What was told becomes
//! a page with `--report`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use throttle_tests::accuracy::limiters;
use throttle_tests::accuracy::tcp::{CONTESTANTS, Report, Setting, measure};
use throttle_tests::bars::exit_code;
use throttle_tests::{guest, interrupt};

/// Benchmark of TCP under limits, in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// How long each row is measured, once its first burst is spent
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The limit of every connection
    #[arg(long, default_value_t = 5_000_000)]
    bits_per_second: u64,
    /// Which run this is, from 1: runs differ in when connections start
    #[arg(long, default_value_t = 1)]
    run: u32,
    /// Whose limits beside ours: police, nft, hashlimit, HTB
    #[arg(long, value_delimiter = ',', default_value = "police,nft,hashlimit,HTB")]
    peers: Vec<String>,
    /// Only connections of which the name, such as 100ms,cubic,down,IPv4, contains this text
    #[arg(long, default_value = "")]
    only: String,
    /// Print tables of the batches in this JSON file instead of measuring
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
    let Options { bits_per_second, seconds, ref only, .. } = *options;
    let setting = Setting { bits_per_second, seconds, part: only.clone() };
    let all = CONTESTANTS.map(|contestant| contestant.limiter);
    for limiter in limiters::with_peers(all, &options.peers)? {
        let batch = measure(limiter, &setting, options.run);
        let batch = batch.with_context(|| format!("measuring {}", limiter.name()))?;
        eprintln!("{batch}");
        guest::tell("batch", &batch)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(file: &Path) -> Result<ExitCode> {
    let report = Report::of(guest::told(file)?)?;
    println!("{report}");
    let missed = report.misses().len();
    Ok(exit_code(missed))
}
