//! Prints how long a change of policy takes: all of it at once, and one limit of it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Parser;
use throttle_agent::datapath::Options as DatapathOptions;
use throttle_agent::policy::{Action, Limit, Policy, Rates};
use throttle_common::abi::{Hook, Side};
use throttle_tests::bars::exit_code;
use throttle_tests::netns::Namespace;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, Verdict, limits};
use throttle_tests::sorted::Sorted;
use throttle_tests::{interrupt, table};

/// Benchmark of changes of policy; needs root.
#[derive(Parser)]
struct Options {
    /// Limits of the policy
    #[arg(long, default_value_t = 100_000)]
    limits: u32,
    /// Changes of one limit
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
}

/// A whole policy is to be in force after this time.
const APPLY_BAR: Duration = Duration::from_secs(2);
/// One change is to be, for 99 in 100 changes.
const CHANGE_BAR: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let namespace = Namespace::new("bench")?;
    let rows = namespace.run(|| measure(options))??;
    let mut table = table::markdown(&["what", "ms", "bar ms"], 1);
    let mut missed = 0;
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    for (what, time, bar) in rows {
        missed += usize::from(bar.is_some_and(|bar| time > bar));
        table.add_row([
            what,
            ms(time),
            bar.map_or_else(String::new, |bar| format!("<= {}", ms(bar))),
        ]);
    }
    println!("{table}");
    println!("{missed} bars missed");
    Ok(exit_code(missed))
}

type Row = (String, Duration, Option<Duration>);

fn measure(options: &Options) -> Result<Vec<Row>> {
    let mut program = Program::open_with(DatapathOptions {
        max_limits: options.limits + 2,
        ..Program::options()
    });
    program.datapath().attach("lo", Side::Far).map_err(failed)?;
    let slow = policy(options.limits, 10_000_000);
    let fast = policy(options.limits, 20_000_000);
    let mut rows = Vec::new();
    for (what, policy) in [
        ("all new", &slow),
        ("all changed", &fast),
        ("all as before", &fast),
        ("none left", &Policy::default()),
    ] {
        interrupt::check()?;
        let begun = Instant::now();
        program.datapath().apply(policy).map_err(failed)?;
        let what = format!("{} limits, {what}", options.limits);
        rows.push((what, begun.elapsed(), Some(APPLY_BAR)));
    }
    program.datapath().apply(&slow).map_err(failed)?;
    let times = Sorted::seconds(changes(&mut program, options.changes)?);
    let at = |part| Duration::from_secs_f64(times.quantile(part));
    rows.push((format!("one change of {}, median", options.changes), at(0.5), None));
    rows.push(("one change, 99 of 100 at most".to_owned(), at(0.99), Some(CHANGE_BAR)));
    rows.push(("one change, longest".to_owned(), at(1.0), None));
    Ok(rows)
}

/// Changes one limit again and again, from refusing to passing and back; it must be in force at once.
/// A change cuts the debt to the burst, which lets one more packet pass: the second one counts.
fn changes(program: &mut Program, count: usize) -> Result<Vec<Duration>> {
    let frame = Frame::udp("172.16.0.1", "192.0.2.7").bytes();
    let limit = |action| Limit { action, ..limits::each("172.16.0.0/24", limits::bytes(1)) };
    program.set(&limit(Action::Drop));
    program.run(Hook::Ingress, &frame);
    let mut times = Vec::new();
    for number in 0..count {
        interrupt::check()?;
        let (action, verdict) = match number % 2 {
            0 => (Action::Observe, Verdict::Pass),
            _ => (Action::Drop, Verdict::Drop),
        };
        let begun = Instant::now();
        program.datapath().set_limit(&limit(action)).map_err(failed)?;
        program.run(Hook::Ingress, &frame);
        times.push(begun.elapsed());
        let found = program.run(Hook::Ingress, &frame);
        ensure!(found == verdict, "change {number} to {action}: {found:?}");
    }
    Ok(times)
}

/// A limit on each of so many /26 prefixes.
fn policy(limits: u32, bits_per_second: u64) -> Policy {
    let rates: Rates = limits::rated(bits_per_second, 1 << 20);
    let prefix = |number: u32| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + number * 64);
        limits::each(&format!("{address}/26"), rates)
    };
    Policy { limits: (0..limits).map(prefix).collect(), ..Policy::default() }
}

fn failed(error: throttle_agent::error::Error) -> anyhow::Error {
    anyhow!("{error}")
}
