//! Prints how exactly limits hold, ours and those of others in Linux side by side, and what else ours promises
//! about rates.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use throttle_tests::accuracy::batch;
use throttle_tests::accuracy::comparison::Comparison;
use throttle_tests::accuracy::limiters::{self, LeftOut, Limiter};
use throttle_tests::accuracy::matrix::{Row, batches, cpus};
use throttle_tests::accuracy::promises;
use throttle_tests::{interrupt, table};

/// Benchmark of the accuracy of limits, in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// How long each row is measured; other promises for at most 10 seconds
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How often each row is measured by each limiter
    #[arg(long, default_value_t = 2)]
    runs: u32,
    /// Whose limits beside ours: police, HTB, nft, hashlimit
    #[arg(long, value_delimiter = ',', default_value = "police,HTB,nft,hashlimit")]
    peers: Vec<String>,
    /// Only rows of which the name contains this text, such as "10mbit, 64 B", "2 CPUs", "TCP" or "packet limit"
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    ensure!(options.seconds > 0 && options.runs > 0, "--seconds and --runs take at least 1");
    let mut rows = Row::all();
    rows.retain(|row| row.to_string().contains(&options.only) && row.senders.cpus() <= cpus());
    let (limiters, left_out) =
        limiters::at_hand(limiters::with_peers(limiters::ALL, &options.peers)?)?;
    for LeftOut { name, reason } in &left_out {
        eprintln!("{name} is left out: {reason}");
    }
    let mut comparison = Comparison::new(&limiters, left_out, &rows);
    compare(&mut comparison, &limiters, &rows, options)?;
    let readings = promises::measure(&options.only, options.seconds.min(10))?;
    ensure!(
        !rows.is_empty() || !readings.is_empty(),
        "--only {}: no row has that in its name; accepted: a part of a name such as `10mbit, 64 B, 1 flow, up IPv4`",
        options.only
    );
    if !rows.is_empty() {
        println!("{}", comparison.markdown());
    }
    if !readings.is_empty() {
        println!("### What else is promised\n\n{}", table::readings(&readings));
    }
    let missed = comparison.missed() + readings.iter().filter(|reading| !reading.holds()).count();
    eprintln!("{} rows, {missed} missed", rows.len() + readings.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The packets per second that one CPU sends through each of `limiters`, but for one that is more than twice as
/// costly as another: for its sake alone, everything would take twice as long.
fn capacity(limiters: &[&'static dyn Limiter], rows: &[Row]) -> Result<f64> {
    let highest = rows.iter().map(Row::offered_packets_per_second).fold(0.0, f64::max);
    let is_fast = |row: &&Row| row.offered_packets_per_second() > highest / 2.0;
    let fastest: Vec<_> = rows.iter().filter(is_fast).copied().take(8).collect();
    let (mut least, mut most) = (f64::INFINITY, 0.0);
    for limiter in limiters.iter().filter(|_| !fastest.is_empty()) {
        let packets_per_second = batch::capacity(*limiter, &fastest)?;
        let (name, thousands) = (limiter.name(), packets_per_second / 1e3);
        eprintln!("{name}: one CPU sends {thousands:.0} thousand packets per second");
        least = packets_per_second.min(least);
        most = packets_per_second.max(most);
    }
    Ok(least.max(most / 2.0))
}

/// Measures all rows by all limiters in turn, as often as asked for.
fn compare(
    comparison: &mut Comparison,
    limiters: &[&'static dyn Limiter],
    rows: &[Row],
    options: &Options,
) -> Result<()> {
    let batches = batches(rows, capacity(limiters, rows)?, cpus());
    let window = Duration::from_secs(options.seconds.into());
    let seconds = |batch: &Vec<Row>| {
        let of_each =
            |limiter: &&dyn Limiter| (batch::settling(*limiter, batch) + window).as_secs();
        limiters.iter().map(of_each).sum::<u64>()
    };
    let minutes = batches.iter().map(seconds).sum::<u64>() * u64::from(options.runs) / 60;
    eprintln!("{} rows in {} batches: at least {minutes} minutes", rows.len(), batches.len());
    let started = Instant::now();
    for run in 1..=options.runs {
        for (number, batch) in (1..).zip(&batches) {
            for limiter in limiters {
                let arrivals = batch::run(*limiter, batch, window, Duration::ZERO)?;
                comparison.add(limiter.name(), batch, &arrivals);
                let (name, seconds) = (limiter.name(), started.elapsed().as_secs());
                let (count, first) = (batch.len(), batch[0]);
                eprintln!(
                    "{seconds} s: run {run} of {}, batch {number} of {}, {name}: {count} rows from {first}",
                    options.runs,
                    batches.len()
                );
            }
        }
    }
    Ok(())
}
