//! Prints what one packet costs in the program, above an empty classifier in the same run.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use throttle_tests::bars::exit_code;
use throttle_tests::netns::Namespace;
use throttle_tests::path_cost::{self, Bar, Effort, HOSTS, Row};
use throttle_tests::{interrupt, table};

/// Benchmark of the program alone, by BPF_PROG_TEST_RUN; needs root.
#[derive(Parser)]
struct Options {
    /// Runs in which the programs take turns; the median counts
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How often each program gets its packet in a run
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1..))]
    packets: u32,
    /// Only rows whose name contains this, and those that they are compared with, or the breakdown: "steps"
    #[arg(long, default_value = "")]
    only: String,
}

/// The name of the breakdown.
const STEPS: &str = "steps";

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let Options { runs, packets, ref only } = *options;
    let effort = Effort { runs, packets };
    let (has_steps, rows) = chosen(only)?;
    let namespace = Namespace::new("bench")?;
    if has_steps {
        namespace.run(|| print_steps(effort))??;
    }
    let missed =
        if rows.is_empty() { 0 } else { namespace.run(|| print_rows(&rows, effort))?? };
    println!("Medians of {runs} interleaved runs of {packets} packets; {missed} bars missed.");
    Ok(exit_code(missed))
}

/// Whether the breakdown is wanted, and which rows.
fn chosen(only: &str) -> Result<(bool, Vec<Row>)> {
    let mut rows = path_cost::rows();
    if only == STEPS {
        return Ok((true, Vec::new()));
    }
    ensure!(
        rows.iter().any(|row| row.what.contains(only)),
        "--only {only}: no row has that in its name; accepted: `{STEPS}`, or a part of one of: {}",
        rows.iter()
            .map(|row| row.what)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
            .join("; ")
    );
    rows.retain(|row| row.is_wanted(only));
    Ok((only.is_empty(), rows))
}

/// Prints the breakdown.
fn print_steps(effort: Effort) -> Result<()> {
    println!("**Step by step**, nanoseconds by hosts: of the step, and of all up to its end\n");
    let names = HOSTS.map(|hosts| hosts.to_string());
    let up_to = names.each_ref().map(|hosts| format!("{hosts}, all"));
    let columns = names.iter().zip(&up_to).flat_map(|(step, all)| [step.as_str(), all]);
    let header: Vec<_> = ["step", "told by a packet"].into_iter().chain(columns).collect();
    let mut table = table::markdown(&header, 2);
    for cost in path_cost::steps(effort)? {
        let ns = cost.ns.as_flattened().iter().map(|ns| format!("{ns:.0}"));
        table.add_row([cost.step, cost.packet].map(str::to_owned).into_iter().chain(ns));
    }
    println!("{table}\n");
    println!("**Parts by themselves**, nanoseconds by hosts\n");
    let header: Vec<_> = ["part"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = table::markdown(&header, 1);
    for cost in path_cost::parts(effort)? {
        let ns = cost.ns.iter().map(|ns| format!("{ns:.0}"));
        table.add_row([cost.part.to_owned()].into_iter().chain(ns));
    }
    println!("{table}\n");
    Ok(())
}

/// Prints what packets cost by what they meet; returns how many bars were missed.
fn print_rows(rows: &[Row], effort: Effort) -> Result<usize> {
    let header = ["what", "hosts", "cpus", "empty ns", "path ns", "above empty ns", "bar ns"];
    let mut table = table::markdown(&header, 1);
    let (mut missed, mut one_level_ns) = (0, f64::MAX);
    for row in rows {
        let (empty_ns, path_ns) = row.measure(effort)?;
        let above_ns = path_ns - empty_ns;
        if let Bar::Above(_) = row.bar {
            one_level_ns = above_ns;
        }
        let bar_ns = match row.bar {
            Bar::None => None,
            Bar::Above(most) => Some(most),
            Bar::MoreThanOneLevel(more) => Some(one_level_ns + more),
        };
        missed += usize::from(bar_ns.is_some_and(|bar| above_ns > bar));
        table.add_row([
            row.what.into(),
            row.hosts.to_string(),
            row.cpus.to_string(),
            format!("{empty_ns:.1}"),
            format!("{path_ns:.1}"),
            format!("{above_ns:.1}"),
            bar_ns.map_or_else(String::new, |bar| format!("<= {bar:.0}")),
        ]);
        let Row { what, hosts, cpus, .. } = row;
        eprintln!("{what}, {hosts} hosts, {cpus} processors: {above_ns:.1} ns");
    }
    println!("**By what a packet meets**\n\n{table}\n");
    Ok(missed)
}
