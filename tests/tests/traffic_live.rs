//! Limits change while traffic flows: soon, without a gap, and without losing count.

use std::time::{Duration, Instant};

use anyhow::Result;
use throttle_tests::agent::HostReport;
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::measure::{Meter, Sample};
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::scenario::{SETTLED, ends};
use throttle_tests::traffic::{Direction, Family, MBIT, Transport};

const HOST: End = End::host(0);
const LIMITS: [u64; 3] = [10 * MBIT, 50 * MBIT, 5 * MBIT];
/// How long after the command has returned the old rate may still be seen.
const GRACE: Duration = Duration::from_millis(50);
/// How long each limit stays.
const STAY: Duration = Duration::from_millis(1500);
/// One packet may fall on the other side of each edge of a window.
const PACKET_BITS: f64 = 1500.0 * 8.0;

/// A limit and when the command that set it began and returned.
struct Change {
    limit: u64,
    asked: Instant,
    done: Instant,
}

/// What one run recorded.
struct Record {
    changes: Vec<Change>,
    samples: Vec<Sample>,
    reports: Vec<HostReport>,
}

#[test]
fn a_changed_limit_is_in_force_within_50_ms_and_never_absent() {
    require_root!();
    let lab = Lab::new().unwrap();
    for (direction, family) in Direction::ALL.into_iter().zip(Family::ALL) {
        assert_holds(|| {
            let record = change_under_flood(&lab, direction, family)?;
            counters_never_fall(&record.reports, direction);
            Ok([new_rates(&record), no_gaps(&record)].concat())
        });
    }
}

/// Floods the host and changes its limit on the way, while a thread samples what arrives.
fn change_under_flood(lab: &Lab, direction: Direction, family: Family) -> Result<Record> {
    lab.limit(HOST, family, direction, LIMITS[0])?;
    let (from, to) = ends(HOST, End::Server, direction);
    let meter = Meter::new(lab.router.namespace(to), family, Transport::Udp)?;
    let flood = Flood::new(&lab.router, from, to, family).rate(200 * MBIT).start()?;
    std::thread::sleep(SETTLED);
    let end = Instant::now() + STAY * LIMITS.len() as u32 + SETTLED;
    let address = HOST.address(family);
    let mut record = Record { changes: Vec::new(), samples: Vec::new(), reports: Vec::new() };
    std::thread::scope(|scope| -> Result<()> {
        let sampling = scope.spawn(|| meter.series(Duration::from_millis(50), end));
        for limit in LIMITS {
            let asked = Instant::now();
            lab.limit(HOST, family, direction, limit)?;
            record.changes.push(Change { limit, asked, done: Instant::now() });
            record.reports.push(lab.agent.host(address)?);
            std::thread::sleep(STAY);
            record.reports.push(lab.agent.host(address)?);
        }
        record.samples = sampling.join().expect("sampling does not panic")?;
        Ok(())
    })?;
    drop(flood);
    Ok(record)
}

/// From the grace on, the mean until the next change is the new limit, and so is every 50 ms.
fn new_rates(record: &Record) -> Vec<Reading> {
    let ends = record.changes.iter().skip(1).map(|change| change.asked);
    let last = record.samples[record.samples.len() - 1].at;
    let phases = record.changes.iter().zip(ends.chain([last]));
    phases
        .flat_map(|(change, end)| {
            let limit = change.limit as f64;
            let within = |sample: &&Sample| sample.at >= change.done + GRACE && sample.at <= end;
            let samples: Vec<_> = record.samples.iter().filter(within).collect();
            let (first, last) = (samples[0], samples[samples.len() - 1]);
            let mean = last.rate_since(first).bits_per_second;
            let windows = samples.windows(2).map(|pair| {
                let share = 2.0 * PACKET_BITS / (pair[1].at - pair[0].at).as_secs_f64();
                let rate = pair[1].rate_since(pair[0]).bits_per_second;
                let bar = Bar::Within(2.0 + share / limit * 100.0);
                Reading::new("50 ms after a change", rate, limit, "bit/s", bar)
            });
            let mean = Reading::new("mean after a change", mean, limit, "bit/s", Bar::Within(2.0));
            windows.chain([mean]).collect::<Vec<_>>()
        })
        .collect()
}

/// Across each change no more passes than the higher of both limits allows.
fn no_gaps(record: &Record) -> Vec<Reading> {
    let across = record.changes.windows(2).map(|pair| {
        let (old, new) = (&pair[0], &pair[1]);
        let before = record.samples.iter().rev().find(|sample| sample.at <= new.asked);
        let after = record.samples.iter().find(|sample| sample.at >= new.done + GRACE);
        let (before, after) = (before.expect("sampled before"), after.expect("sampled after"));
        let allowed = old.limit.max(new.limit) as f64 * (after.at - before.at).as_secs_f64();
        let passed = (after.bytes - before.bytes) as f64 * 8.0;
        let most = Bar::AtMost(102.0 + 2.0 * PACKET_BITS / allowed * 100.0);
        Reading::new("bits across a change", passed, allowed, "bit", most)
    });
    across.collect()
}

fn counters_never_fall(reports: &[HostReport], direction: Direction) {
    for pair in reports.windows(2) {
        let (before, after) = (pair[0].of(direction), pair[1].of(direction));
        assert!(after.passed_bytes >= before.passed_bytes, "{before:?} then {after:?}");
        assert!(after.passed_packets >= before.passed_packets, "{before:?} then {after:?}");
        assert!(after.excess_bytes >= before.excess_bytes, "{before:?} then {after:?}");
        assert!(after.excess_packets >= before.excess_packets, "{before:?} then {after:?}");
    }
    let (first, last) = (reports[0].of(direction), reports[reports.len() - 1].of(direction));
    assert!(
        last.passed_packets > first.passed_packets && last.excess_packets > first.excess_packets
    );
}
