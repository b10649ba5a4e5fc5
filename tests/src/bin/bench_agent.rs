//! Prints what the agent costs with a million hosts in the table: processor time, how long the command
//! line takes to answer, and memory.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde_json::json;
use throttle_tests::bars::{Bar, Reading, exit_code};
use throttle_tests::footprint::Footprint;
use throttle_tests::lab::Lab;
use throttle_tests::router::Router;
use throttle_tests::sorted::Sorted;
use throttle_tests::spoof::{self, SpoofedFlood};
use throttle_tests::traffic::Family;
use throttle_tests::{interrupt, table};

/// Benchmark of the agent in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// Hosts in the table
    #[arg(long, default_value_t = 1_000_000)]
    hosts: u32,
    /// Limits of the larger of the two policies
    #[arg(long, default_value_t = 16_384)]
    limits: u32,
    /// Calls of each command
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// Seconds over which processor time is measured
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

/// Every host sends a packet in so many seconds, so that all counters move.
const ROUND_SECONDS: u32 = 10;
/// A limit that grants a burst once keeps its hosts in the table, half full as it is, even if the flood is
/// late. A packet is charged some thirty units, so that most are refused at once and cost the router little.
const LIMIT: &str =
    "--scope each --up 8kbit --one-time-burst 1b --up-pps 1pps --pps-burst 1 --packet-unit 1b";
const CPU_BAR_PERCENT: f64 = 35.0;
const ANSWER_BAR: f64 = 0.020;
const MEMORY_BAR: f64 = (300_u64 << 20) as f64;
/// How long the table may take to fill.
const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let (max_hosts, max_limits) = (options.hosts.to_string(), (options.limits + 64).to_string());
    let arguments = ["--iface", "lan0", "--max-hosts", &max_hosts, "--max-limits", &max_limits];
    let lab = Lab::with(Router::new()?, &arguments)?;
    lab.limit_set(&format!("{} {LIMIT}", spoof::prefix(Family::V4)))?;
    fill(&lab, options.hosts)?;
    let mut readings = measure(&lab, options, "1 limit")?;
    add_limits(&lab, options.limits)?;
    readings.extend(measure(&lab, options, &format!("{} limits", options.limits))?);
    println!("{}", table::readings(&readings));
    println!(
        "memory: what is resident (Rss in smaps) of all mappings but those of maps (anon_inode:bpf-map), \
         the most of one reading per round of calls"
    );
    let missed = readings.iter().filter(|reading| !reading.holds()).count();
    println!("{missed} bars missed");
    Ok(exit_code(missed))
}

/// Sends a packet of every host, again for those that found no room.
fn fill(lab: &Lab, hosts: u32) -> Result<()> {
    let _flood = SpoofedFlood::start(&lab.router, Family::V4, hosts)?;
    let begun = Instant::now();
    loop {
        let tracked = lab.agent.host_table()?.tracked;
        if tracked >= hosts.into() {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{tracked} hosts in the table");
        interrupt::sleep(SECOND / 4)?;
    }
}

/// Puts a policy in force with so many limits beside that of the flood.
fn add_limits(lab: &Lab, count: u32) -> Result<()> {
    let mut policy: serde_json::Value = request(lab, "GET", "")?;
    let limits = policy["limits"].as_array_mut().context("the policy has no limits")?;
    limits.extend((0..count).map(|number| {
        json!({"prefix": format!("12.{}.{}.0/24", number / 256, number % 256),
            "up": {"bits_per_second": 10_000_000}, "down": {"bits_per_second": 50_000_000}})
    }));
    request(lab, "PUT", &policy.to_string()).map(drop)
}

/// Asks the agent for the policy, or gives it one.
fn request(lab: &Lab, method: &str, body: &str) -> Result<serde_json::Value> {
    let mut stream = UnixStream::connect(lab.agent.socket())?;
    let length = body.len();
    write!(
        stream,
        "{method} /v1/policy HTTP/1.1\r\nHost: throttle\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{method} /v1/policy: {answer}");
    Ok(serde_json::from_str(body)?)
}

fn measure(lab: &Lab, options: &Options, what: &str) -> Result<Vec<Reading>> {
    let Options { hosts, calls, seconds, .. } = *options;
    let pace = hosts / ROUND_SECONDS;
    let flood = SpoofedFlood::paced(&lab.router, Family::V4, hosts, pace)?;
    interrupt::sleep(2 * SECOND)?;
    let (begun, cpu) = (Instant::now(), cpu_time(lab)?);
    interrupt::sleep(SECOND * seconds)?;
    let cpu = (cpu_time(lab)? - cpu).as_secs_f64();
    let percent = cpu / begun.elapsed().as_secs_f64() * 100.0;
    let mut readings = vec![Reading::new(
        format!("{hosts} hosts, {what}: processor time a second"),
        percent / 100.0,
        CPU_BAR_PERCENT / 100.0,
        "s",
        Bar::AtMost(100.0),
    )];
    let (answers, memory) = answers(lab, calls)?;
    let found = lab.agent.host_table()?.tracked;
    ensure!(found >= hosts.into(), "{found} of {hosts} hosts in the table at the end");
    flood.stop()?;
    for (command, times) in answers {
        let times = Sorted::seconds(times);
        let at = |part| Duration::from_secs_f64(times.quantile(part));
        let reading = Reading::new(
            format!("{what}: {command}"),
            times.quantile(0.99),
            ANSWER_BAR,
            "s",
            Bar::AtMost(100.0),
        );
        let note = format!("99 of 100; median {:.1?}, longest {:.1?}", at(0.5), at(1.0));
        readings.push(Reading { note, ..reading });
    }
    let memory = memory as f64;
    let what = format!("{what}: memory beside the maps");
    readings.push(Reading::new(what, memory, MEMORY_BAR, "B", Bar::AtMost(100.0)));
    Ok(readings)
}

/// Processor time of the agent, all threads together.
fn cpu_time(lab: &Lab) -> Result<Duration> {
    let process = lab.agent.process_id().context("the agent is not running")?;
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(process)?))?;
    Ok(clock_gettime(clock)?.into())
}

type Answers = Vec<(&'static str, Vec<Duration>)>;

/// Runs every command again and again, and returns how long each call took as a process, and the most
/// memory that the agent took meanwhile.
fn answers(lab: &Lab, calls: usize) -> Result<(Answers, u64)> {
    let mut answers: Answers = [
        "status",
        "stats",
        "host show 11.0.1.7",
        "host list --top 10",
        "limit list",
        "limit show 11.0.0.0/8",
        "limit set 13.0.0.0/24 --up 1mbit",
        "limit del 13.0.0.0/24",
        "--json status",
        "--json stats",
        "--json host list --top 1000",
        "--json limit list",
    ]
    .map(|command| (command, Vec::with_capacity(calls)))
    .into();
    let mut memory = 0;
    for _ in 0..calls {
        for (command, times) in &mut answers {
            let begun = Instant::now();
            lab.agent.done(command)?;
            times.push(begun.elapsed());
            interrupt::sleep(Duration::from_millis(2))?;
        }
        memory = memory.max(Footprint::of(&lab.agent)?.beside_maps_bytes);
    }
    Ok((answers, memory))
}
