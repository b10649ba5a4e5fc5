//! Prints what one packet costs in the program, above an empty classifier in the same run.

use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser;
use throttle_agent::policy::{
    Action, Dscp, Group, GroupName, Limit, LinkLimit, ParentAction, Rates,
};
use throttle_common::abi::{Hook, Side};
use throttle_tests::netns::Namespace;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{Program, limits};
use throttle_tests::shim::{Empty, Shim};
use throttle_tests::{flood, interrupt, table};

/// Benchmark of the program alone, by BPF_PROG_TEST_RUN; needs root.
#[derive(Parser)]
struct Options {
    /// Rounds in which the programs take turns; the median counts
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Runs of one packet per program and round
    #[arg(long, default_value_t = 500_000)]
    runs: u32,
    /// Only rows whose name contains this; rows that others are compared with run all the same
    #[arg(long, default_value = "")]
    only: String,
}

/// One line of the table.
struct Row {
    what: &'static str,
    limit: Limit,
    /// Rates of the group that the limit is a member of.
    group: Option<Rates>,
    /// Rates of the link.
    link: Option<Rates>,
    hosts: u32,
    /// Processors that run it at once.
    cpus: usize,
    family: Family,
    /// Whether every packet after the burst is refused.
    refused: bool,
    bar: Bar,
}

impl Row {
    fn is_wanted(&self, only: &str) -> bool {
        self.what.contains(only) || matches!(self.bar, Bar::Above(_))
    }
}

/// What a row is held to.
#[derive(Clone, Copy)]
enum Bar {
    /// Nothing.
    None,
    /// So many nanoseconds above the empty classifier.
    Above(f64),
    /// So many nanoseconds more than the row of bytes and packets at one level.
    MoreThanOneLevel(f64),
}

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

/// Enough that two processors seldom meet at one host.
const FEW: u32 = 1 << 8;
const MANY: u32 = 1 << 16;
const MOST: u32 = 1 << 20;

/// The default burst at the rate: 250 ms.
const BURST_BYTES: u64 = 400_000_000_000 / 8 / 4;

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let namespace = Namespace::new("bench")?;
    let header = ["what", "hosts", "cpus", "empty ns", "path ns", "above empty ns", "bar ns"];
    let mut table = table::markdown(&header, 1);
    let (mut missed, mut one_level_ns) = (0, f64::MAX);
    for row in rows().into_iter().filter(|row| row.is_wanted(&options.only)) {
        let (empty_ns, path_ns) = namespace.run(|| measure(&row, options))??;
        let above_ns = path_ns - empty_ns;
        if let Bar::Above(_) = row.bar {
            one_level_ns = above_ns;
        }
        let bar_ns = match row.bar {
            Bar::None => None,
            Bar::Above(most) => Some(most),
            Bar::MoreThanOneLevel(more) => Some(one_level_ns + more),
        };
        missed += u32::from(bar_ns.is_some_and(|bar| above_ns > bar));
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
    println!("{table}");
    let Options { rounds, runs, .. } = options;
    println!("medians of {rounds} interleaved rounds of {runs} runs; {missed} bars missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A packet and a byte limit that no run exhausts.
fn both() -> Rates {
    let mut rates = limits::rated(400_000_000_000, BURST_BYTES);
    rates.packets = limits::packets(1 << 20).packets.map(|mut limit| {
        limit.rate = throttle_common::units::PacketsPerSecond::from_packets_per_second(900_000_000);
        limit
    });
    rates
}

fn rows() -> Vec<Row> {
    let (v4, v6, one) = (Family::V4, Family::V6, 1);
    let row = |what, limit, hosts, family| Row {
        what,
        limit,
        group: None,
        link: None,
        hosts,
        cpus: 1,
        family,
        refused: false,
        bar: Bar::None,
    };
    let bytes = limits::rated(400_000_000_000, BURST_BYTES);
    let each = |rates| limits::each("10.0.0.0/8", rates);
    let each_v6 = || limits::each("::/0", both());
    let alone = |what| row(what, each(both()), one, v4);
    let acting = |what, action| row(what, Limit { action, ..each(both()) }, one, v4);
    let exceeding = |what, action| row(what, Limit { action, ..each(limits::bytes(1)) }, one, v4);
    vec![
        row("no limit holds the host", limits::each("11.0.0.0/8", bytes), one, v4),
        row("bytes", each(bytes), one, v4),
        Row { bar: Bar::Above(60.0), ..alone("bytes and packets") },
        row("bytes and packets, IPv6", each_v6(), one, v6),
        row("bytes and packets, shared", limits::shared("10.0.0.0/8", both()), one, v4),
        Row { group: Some(bytes), ..alone("host and group") },
        Row { link: Some(bytes), ..alone("host and link") },
        Row {
            group: Some(bytes),
            link: Some(bytes),
            bar: Bar::MoreThanOneLevel(25.0),
            ..alone("host, group and link")
        },
        Row {
            group: Some(both()),
            link: Some(both()),
            ..alone("host, group and link, all bytes and packets")
        },
        Row { cpus: 2, ..row("bytes and packets", each(both()), FEW, v4) },
        Row { cpus: 2, group: Some(bytes), ..row("host and group", each(both()), FEW, v4) },
        Row { cpus: 2, link: Some(bytes), ..row("host and link", each(both()), FEW, v4) },
        Row {
            cpus: 2,
            group: Some(bytes),
            link: Some(bytes),
            ..row("host, group and link", each(both()), FEW, v4)
        },
        Row { refused: true, ..row("refused by bytes", each(limits::bytes(1)), one, v4) },
        acting("ecn, below its mark", Action::Ecn),
        acting("pace, on a queue without fq", Action::Pace { ecn_above: None }),
        exceeding("mark, all excess", Action::Mark(7)),
        exceeding("dscp, all excess", Action::Dscp(Dscp::new(10).expect("a class"))),
        exceeding("observe, all excess", Action::Observe),
        row("pass", exempt(), one, v4),
        row("bytes and packets", each(both()), MANY, v4),
        row("bytes and packets, IPv6", each_v6(), MANY, v6),
        row("bytes and packets", each(both()), MOST, v4),
        row("bytes and packets, IPv6", each_v6(), MOST, v6),
    ]
}

/// A limit that exempts.
fn exempt() -> Limit {
    Limit { action: Action::Pass, ..limits::each("10.0.0.0/8", Rates::default()) }
}

/// Puts the row's group, link and limit in force.
fn prepare(program: &mut Program, row: &Row) -> throttle_agent::error::Result<()> {
    let datapath = program.datapath();
    datapath.attach("lo", Side::Far)?;
    let mut limit = row.limit.clone();
    if let Some(rates) = row.group {
        let name: GroupName = "all".parse().expect("a name");
        let (up, down, total) = (rates, rates, Rates::default());
        let action = ParentAction::Drop;
        datapath.set_group(&Group { name: name.clone(), action, up, down, total })?;
        limit.group = Some(name);
    }
    if let Some(rates) = row.link {
        datapath.set_link_limit("lo", &LinkLimit { up: rates, ..LinkLimit::default() })?;
    }
    datapath.set_limit(&limit)?;
    Ok(())
}

/// Median nanoseconds of the empty classifier and of the program, both behind the shim.
fn measure(row: &Row, options: &Options) -> Result<(f64, f64)> {
    let mut program = Program::open(2 * MOST);
    prepare(&mut program, row).map_err(|error| anyhow!("{error}"))?;
    let frame = match row.family {
        Family::V4 => Frame::udp("10.0.0.1", "192.0.2.7").layer3_bytes(100).bytes(),
        Family::V6 => Frame::udp("fd00::1", "2001:db8::7").layer3_bytes(100).bytes(),
    };
    let empty = Empty::load()?;
    let classifier =
        program.datapath().classifier(Hook::Ingress).map_err(|error| anyhow!("{error}"))?;
    let path = Shim::load(row.hosts, classifier.fd().context("the program is loaded")?.as_fd())?;
    let empty = Shim::load(row.hosts, empty.fd().as_fd())?;
    // Makes (nearly) every host before the clock runs.
    path.run(&frame, row.hosts.saturating_mul(8).max(1000))?;
    let (mut empty_ns, mut path_ns) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        interrupt::check()?;
        empty_ns.push(run_on(row.cpus, &empty, &frame, options.runs)?.1);
        let (answer, duration_ns) = run_on(row.cpus, &path, &frame, options.runs)?;
        ensure!((answer == 2) == row.refused, "the program answered {answer} to {}", row.what);
        path_ns.push(duration_ns);
    }
    Ok((median(empty_ns), median(path_ns)))
}

/// Runs a program on several processors at once; the answer of one, and the mean duration of a run.
fn run_on(cpus: usize, program: &Shim, frame: &[u8], runs: u32) -> Result<(i32, u128)> {
    let outcomes = thread::scope(|scope| {
        let run = |cpu| {
            move || {
                if cpus > 1 {
                    flood::pin_to(cpu)?;
                }
                program.run(frame, runs)
            }
        };
        let threads: Vec<_> = (0..cpus).map(|cpu| scope.spawn(run(cpu))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        joined.collect::<Result<Vec<_>>>()
    })?;
    let sum_ns: u128 = outcomes.iter().map(|(_, duration)| duration.as_nanos()).sum();
    Ok((outcomes[0].0, sum_ns / cpus as u128))
}

fn median(mut values: Vec<u128>) -> f64 {
    values.sort_unstable();
    values[values.len() / 2] as f64
}
