//! Prints how exactly the limits hold: floods, TCP flows, two CPUs on one bucket and packet limits, each
//! row with its bar and whether it holds.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use throttle_tests::bars::Reading;
use throttle_tests::lab::Lab;
use throttle_tests::promise::{self, Precision};
use throttle_tests::router::End;
use throttle_tests::traffic::{Case, GBIT, MBIT};
use throttle_tests::{interrupt, table};

/// Benchmark of the accuracy of limits, in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// How long each row is measured
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Only rows of which the name contains this text: flood, tcp, shared, packets or both
    #[arg(default_value = "")]
    filter: String,
}

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let readings = measure(options)?;
    println!("{}", table::readings(&readings));
    let missed = readings.iter().filter(|reading| !reading.holds()).count();
    println!("{} rows, {missed} missed", readings.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A measurement and the name that a filter can pick it by.
struct Row<'a> {
    name: &'static str,
    measure: Box<dyn Fn() -> Result<Vec<Reading>> + 'a>,
}

fn row<'a>(name: &'static str, measure: impl Fn() -> Result<Vec<Reading>> + 'a) -> Row<'a> {
    Row { name, measure: Box::new(measure) }
}

fn measure(options: &Options) -> Result<Vec<Reading>> {
    let lab = Lab::new()?;
    let mut readings = Vec::new();
    for row in rows(&lab, options.seconds).iter().filter(|row| row.name.contains(&options.filter)) {
        for reading in (row.measure)()? {
            eprintln!("{reading}");
            readings.push(reading);
        }
    }
    Ok(readings)
}

fn rows(lab: &Lab, seconds: u32) -> Vec<Row<'_>> {
    let precision = Precision { window: Duration::from_secs(u64::from(seconds)), tolerance: 1.0 };
    let mut rows = Vec::new();
    for limit in [MBIT, 10 * MBIT, 100 * MBIT, GBIT] {
        let flood = |case| row("flood", move || promise::flood(lab, &[case], limit, precision));
        rows.extend(Case::ALL.map(flood));
    }
    for (limit, peer) in pairs([10 * MBIT, 100 * MBIT], [End::Server, End::Router]) {
        let tcp = |case| row("tcp", move || promise::tcp(lab, peer, &[case], limit, seconds));
        rows.extend(Case::ALL.map(tcp));
    }
    for limit in [100 * MBIT, GBIT] {
        let shared =
            |case| row("shared", move || promise::shared_by_two_cpus(lab, case, limit, precision));
        rows.extend(Case::ALL.map(shared));
    }
    for limit in [1_000, 20_000] {
        let packets =
            |case| row("packets", move || promise::packets(lab, &[case], limit, precision));
        rows.extend(Case::ALL.map(packets));
    }
    let both = |case| row("both", move || promise::tighter_of_both(lab, &[case], precision));
    rows.extend(Case::ALL.map(both));
    rows
}

fn pairs<A: Copy, B: Copy>(first: [A; 2], second: [B; 2]) -> impl Iterator<Item = (A, B)> {
    first.into_iter().flat_map(move |a| second.map(|b| (a, b)))
}
