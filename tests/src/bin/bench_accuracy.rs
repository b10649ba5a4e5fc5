//! Prints how exactly limits hold, ours and those of others in Linux side by side, and what else ours promises
//! about rates.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use throttle_tests::accuracy::batch;
use throttle_tests::accuracy::comparison::Comparison;
use throttle_tests::accuracy::limiters::{self, LeftOut, Limiter};
use throttle_tests::accuracy::matrix::{Row, batches, cpus};
use throttle_tests::accuracy::promises;
use throttle_tests::accuracy::turns::{self, Turn};
use throttle_tests::bars::exit_code;
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
    Ok(exit_code(missed))
}

/// The rows of each of `limiters`, batch by batch: as many at once as one CPU sends through it, which differs by half an
/// order of magnitude.
fn batches_of_each(limiters: &[&'static dyn Limiter], rows: &[Row]) -> Result<Vec<Vec<Vec<Row>>>> {
    let highest = rows.iter().map(Row::offered_packets_per_second).fold(0.0, f64::max);
    let is_fast = |row: &&Row| row.offered_packets_per_second() > highest / 2.0;
    let fastest: Vec<_> = rows.iter().filter(is_fast).copied().take(8).collect();
    let mut all = Vec::new();
    for limiter in limiters {
        let capacity = if fastest.is_empty() { 0.0 } else { batch::capacity(*limiter, &fastest)? };
        let batches = batches(rows, capacity, cpus());
        let (name, thousands, count) = (limiter.name(), capacity / 1e3, batches.len());
        eprintln!(
            "{name}: one CPU sends {thousands:.0} thousand packets per second; {} rows in {count} batches",
            rows.len()
        );
        all.push(batches);
    }
    Ok(all)
}

/// Measures all rows by all limiters in turn, a batch of each, as often as asked for.
fn compare(
    comparison: &mut Comparison,
    limiters: &[&'static dyn Limiter],
    rows: &[Row],
    options: &Options,
) -> Result<()> {
    let turns = turns::in_turn(limiters, &batches_of_each(limiters, rows)?);
    let window = Duration::from_secs(options.seconds.into());
    let seconds = |turn: &Turn| (batch::settling(turn.limiter, &turn.rows) + window).as_secs();
    let minutes = turns.iter().map(seconds).sum::<u64>() * u64::from(options.runs) / 60;
    eprintln!("{} rows: at least {minutes} minutes", rows.len());
    let measure = |limiter, rows: &[Row]| batch::run(limiter, rows, window, Duration::ZERO);
    turns::take_all(comparison, &turns, options.runs, measure)
}
