//! `events` on the command line: what was, what comes, and the reports of each second.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use throttle_tests::bars::Bar;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::traffic::{Direction, Family, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;

#[test]
fn reports_come_each_second_and_agree_with_the_counters() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT).start();
    let mut follow = Follow::start(&lab, "--json events --trace bandwidth,packets,load,debug");
    // The flood may have begun within the first second.
    follow.second();
    let begun = Instant::now();
    let before = reason(&lab, "host_bytes");
    let seconds = [follow.second(), follow.second(), follow.second()];
    let (refused, elapsed) = (reason(&lab, "host_bytes") - before, begun.elapsed());

    let ends: Vec<_> = seconds.iter().map(|reports| number(&reports[0]["at_unix_ms"])).collect();
    for pair in ends.windows(2) {
        assert!((pair[1] - pair[0]).abs_diff(1000) < 200, "{ends:?}");
    }
    for [bandwidth, packets, load, debug] in &seconds {
        for row in [&bandwidth["hosts"][0], &bandwidth["links"][0]] {
            let passed = number(&row["up"]["passed_bits_per_second"]) as f64;
            assert!(Bar::Within(5.0).holds(passed / LIMIT as f64 * 100.0), "{row}");
            let excess = number(&row["up"]["excess_bits_per_second"]) as f64;
            assert!(Bar::Within(15.0).holds(excess / (3 * LIMIT) as f64 * 100.0), "{row}");
        }
        assert_eq!(bandwidth["hosts"][0]["host"], HOST.address(Family::V4).to_string());
        let percent = bandwidth["hosts"][0]["up"]["limit_percent"].as_f64().unwrap();
        assert!(Bar::Within(5.0).holds(percent), "{bandwidth}");
        assert!(bandwidth["links"][0]["up"]["limit_percent"].is_null());
        let told = number(&packets["packets_per_second"]["host_bytes"]) as f64;
        let counted = refused as f64 / elapsed.as_secs_f64();
        assert!((told / counted - 1.0).abs() < 0.2, "{told} told, {counted} counted a second");
        assert_eq!((number(&load["hosts_tracked"]), number(&debug["limits"])), (1, 1));
        assert!(number(&load["resident_bytes"]) > 1 << 20 && number(&load["sample_ns"]) > 0);
        assert!(load["cpu_percent"].as_f64().unwrap() < 100.0, "{load}");
        assert!(number(&debug["generation"]) > 0 && number(&debug["internal_packets"]) == 0);
    }
    follow.interrupt();
}

#[test]
fn whoever_follows_hears_that_a_host_exceeds_its_limit() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    let mut follow = Follow::start(&lab, "--json events --follow");
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT).start();
    let event: Value = serde_json::from_str(&follow.line_with("host_exceeding")).unwrap();
    assert_eq!(event["host"], HOST.address(Family::V4).to_string());
    assert_eq!((&event["direction"], &event["reason"]), (&"up".into(), &"host_bytes".into()));
    // Whoever comes later is told, too.
    let told = lab.agent.done("events").unwrap();
    assert!(told.contains("host_exceeding"), "{told}");
    follow.interrupt();
}

#[test]
fn people_read_one_line_for_each_thing_and_colours_on_demand() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT).start();
    let mut follow = Follow::start(&lab, "events --trace bandwidth,load");
    let line = follow.line_with(" host ");
    println!("{line}");
    assert!(line.contains("bandwidth") && line.contains("limit "), "{line}");
    assert_eq!(line.as_bytes()[2], b':', "it begins with the time: {line}");
    let line = follow.line_with("load ");
    println!("{line}");
    assert!(line.contains("cpu ") && line.contains("hosts 1/"), "{line}");
    follow.interrupt();
    for (arguments, colored) in [("events", false), ("--color always events", true)] {
        let told = lab.agent.done(arguments).unwrap();
        assert_eq!(told.contains('\x1b'), colored && !told.is_empty(), "{told:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_an_agent_that_does_is() {
    require_root!();
    let lab = Lab::new().unwrap();
    let shell = |script: &str| {
        let line = script.replace("AGENT", &lab.agent.command_line());
        Command::new("bash").args(["-o", "pipefail", "-c", &line]).status().unwrap().code()
    };
    assert_eq!(shell("AGENT events --trace load | head -n 1"), Some(0));
    let mut follow = Follow::start(&lab, "events --trace load");
    follow.line_with("load ");
    lab.agent.detach_all().unwrap();
    assert_eq!(follow.process.wait().unwrap().code(), Some(5));
}

fn reason(lab: &Lab, name: &str) -> u64 {
    lab.reason(name).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// A running `events`.
struct Follow {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follow {
    fn start(lab: &Lab, words: &str) -> Self {
        let mut command = lab.agent.command();
        command.args(words.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("another line").unwrap()
    }

    fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The reports of the next second, in the order in which they were asked for; events in between
    /// are left out.
    fn second(&mut self) -> [Value; 4] {
        ["bandwidth", "packets", "load", "debug"].map(|name| {
            loop {
                let report: Value = serde_json::from_str(&self.line()).unwrap();
                if report["event"].is_null() {
                    assert_eq!(report["report"], name);
                    break report;
                }
            }
        })
    }

    /// Presses Ctrl-C, which is a good end.
    fn interrupt(mut self) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end on SIGINT");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
