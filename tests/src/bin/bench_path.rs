//! Prints what one packet costs in the program, above an empty classifier in the same run.

use std::os::fd::AsFd as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser;
use throttle_agent::policy::{Limit, Rates};
use throttle_common::abi::{Hook, Side};
use throttle_tests::netns::Namespace;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, limits};
use throttle_tests::shim::{Empty, Shim};
use throttle_tests::{interrupt, table};

/// Benchmark of the program alone, by BPF_PROG_TEST_RUN; needs root.
#[derive(Parser)]
struct Options {
    /// Rounds in which the programs take turns; the median counts
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Runs of one packet per program and round
    #[arg(long, default_value_t = 500_000)]
    runs: u32,
}

/// One line of the table.
struct Row {
    what: &'static str,
    limit: Option<Limit>,
    hosts: u32,
    family: Family,
    /// Whether every packet after the burst is refused.
    refused: bool,
    bar_ns: Option<f64>,
}

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

const MANY: u32 = 1 << 16;
const MOST: u32 = 1 << 20;

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let namespace = Namespace::new("bench")?;
    let header = ["what", "hosts", "empty ns", "path ns", "above empty ns", "bar ns"];
    let mut table = table::markdown(&header, 1);
    let mut missed = 0;
    for row in rows() {
        let (empty_ns, path_ns) = namespace.run(|| measure(&row, options))??;
        missed += u32::from(row.bar_ns.is_some_and(|bar| path_ns - empty_ns > bar));
        let bar = row.bar_ns.map_or_else(String::new, |bar| format!("<= {bar:.0}"));
        table.add_row([
            row.what.into(),
            row.hosts.to_string(),
            format!("{empty_ns:.1}"),
            format!("{path_ns:.1}"),
            format!("{:.1}", path_ns - empty_ns),
            bar,
        ]);
        eprintln!("{}, {} hosts: {:.1} ns", row.what, row.hosts, path_ns - empty_ns);
    }
    println!("{table}");
    let Options { rounds, runs } = options;
    println!("medians of {rounds} interleaved rounds of {runs} runs; {missed} bars missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A packet and a byte limit that no run exhausts.
fn both() -> Rates {
    let mut rates = limits::rated(400_000_000_000, 1 << 40);
    rates.packets = limits::packets(1 << 20).packets.map(|mut limit| {
        limit.rate = throttle_common::units::PacketsPerSecond::from_packets_per_second(900_000_000);
        limit
    });
    rates
}

fn rows() -> Vec<Row> {
    let row = |what, limit, hosts, family| Row {
        what,
        limit,
        hosts,
        family,
        refused: false,
        bar_ns: None,
    };
    let bytes = limits::rated(400_000_000_000, 1 << 40);
    let v4 = "10.0.0.0/8";
    vec![
        row("no limit holds the host", Some(limits::each("11.0.0.0/8", bytes)), 1, Family::V4),
        row("bytes", Some(limits::each(v4, bytes)), 1, Family::V4),
        Row {
            bar_ns: Some(60.0),
            ..row("bytes and packets", Some(limits::each(v4, both())), 1, Family::V4)
        },
        row("bytes and packets, IPv6", Some(limits::each("::/0", both())), 1, Family::V6),
        row("bytes and packets, shared", Some(limits::shared(v4, both())), 1, Family::V4),
        Row {
            refused: true,
            ..row("refused by bytes", Some(limits::each(v4, limits::bytes(1))), 1, Family::V4)
        },
        row("bytes and packets", Some(limits::each(v4, both())), MANY, Family::V4),
        row("bytes and packets, IPv6", Some(limits::each("::/0", both())), MANY, Family::V6),
        row("bytes and packets", Some(limits::each(v4, both())), MOST, Family::V4),
        row("bytes and packets, IPv6", Some(limits::each("::/0", both())), MOST, Family::V6),
    ]
}

/// Median nanoseconds of the empty classifier and of the program, both behind the shim.
fn measure(row: &Row, options: &Options) -> Result<(f64, f64)> {
    let mut program = Program::open(2 * MOST);
    program.datapath().attach("lo", Side::Far).map_err(|error| anyhow!("{error}"))?;
    if let Some(limit) = &row.limit {
        program.set(limit);
    }
    let frame = match row.family {
        Family::V4 => Frame::udp("10.0.0.1", "192.0.2.7").layer3_bytes(100).bytes(),
        Family::V6 => Frame::udp("fd00::1", "2001:db8::7").layer3_bytes(100).bytes(),
    };
    let empty = Empty::load()?;
    let classifier =
        program.datapath().classifier(Hook::Ingress).map_err(|error| anyhow!("{error}"))?;
    let path = Shim::load(row.hosts, classifier.fd().context("the program is loaded")?.as_fd())?;
    let empty = Shim::load(row.hosts, empty.fd())?;
    // Makes (nearly) every host before the clock runs.
    path.run(&frame, row.hosts.saturating_mul(8).max(1000))?;
    let (mut empty_ns, mut path_ns) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        interrupt::check()?;
        empty_ns.push(empty.run(&frame, options.runs)?.1.as_nanos());
        let (answer, duration) = path.run(&frame, options.runs)?;
        ensure!((answer == 2) == row.refused, "the program answered {answer} to {}", row.what);
        path_ns.push(duration.as_nanos());
    }
    Ok((median(empty_ns), median(path_ns)))
}

fn median(mut values: Vec<u128>) -> f64 {
    values.sort_unstable();
    values[values.len() / 2] as f64
}
