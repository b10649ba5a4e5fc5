//! `stats` on the command line: once, and as a stream.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use throttle_tests::agent::{Counters, HostTable};
use throttle_tests::bars::Bar;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::traffic::{Direction, Family, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;

/// The part of `stats -j` that is read here.
#[derive(Debug, Deserialize)]
struct Stats {
    links: Vec<Usage>,
    limits: Vec<Usage>,
    hosts: HostTable,
}

#[derive(Debug, Deserialize)]
struct Usage {
    up: Flow,
    down: Flow,
}

#[derive(Debug, Deserialize)]
struct Flow {
    #[serde(flatten)]
    counters: Counters,
    bits_per_second: u64,
}

#[test]
fn watched_stats_are_one_json_line_a_second() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT).start();
    let mut watch = Watch::start(&lab);
    // The first line is the newest sample there is, which may be older than the limit.
    watch.next();
    let lines: Vec<_> = (0..5).map(|_| watch.next()).collect();
    for pair in lines.windows(2) {
        let elapsed = pair[1].0 - pair[0].0;
        let late = elapsed.abs_diff(Duration::from_secs(1));
        assert!(late < Duration::from_millis(200), "{elapsed:?} between two lines");
        let [before, now] = [&pair[0].1, &pair[1].1].map(|stats| stats.limits[0].up.counters);
        assert!(now.passed_bytes > before.passed_bytes, "{before:?} then {now:?}");
        assert!(now.excess_packets > before.excess_packets, "{before:?} then {now:?}");
    }
    let (_, last) = &lines[4];
    for flow in [&last.limits[0].up, &last.links[0].up] {
        let percent = flow.bits_per_second as f64 / LIMIT as f64 * 100.0;
        assert!(Bar::Within(2.0).holds(percent), "{flow:?}");
    }
    assert_eq!(last.limits[0].down.counters.passed_packets, 0);
    assert_eq!(last.hosts.tracked, 1);
}

#[test]
fn watching_ends_when_the_agent_does() {
    require_root!();
    let lab = Lab::new().unwrap();
    let mut watch = Watch::start(&lab);
    watch.next();
    lab.agent.detach_all().unwrap();
    let status = watch.process.wait().unwrap();
    assert_eq!(status.code(), Some(5), "the agent does not run any more");
}

/// A running `stats --watch --json`.
struct Watch {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watch {
    fn start(lab: &Lab) -> Self {
        let mut command = lab.agent.command();
        command.args(["--json", "stats", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line and when it came.
    fn next(&mut self) -> (Instant, Stats) {
        let line = self.lines.next().expect("another line").unwrap();
        (Instant::now(), serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
