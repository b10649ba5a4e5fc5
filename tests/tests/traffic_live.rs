//! Limits change while traffic flows: soon, without a gap, and without losing count.

use std::time::Duration;

use anyhow::Result;
use throttle_tests::agent::HostReport;
use throttle_tests::bars::assert_holds;
use throttle_tests::change::Record;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::scenario::ends;
use throttle_tests::traffic::{Direction, Family, MBIT, Transport};

const HOST: End = End::host(0);
const LIMITS: [u64; 3] = [10 * MBIT, 50 * MBIT, 5 * MBIT];
/// How long each limit stays.
const STAY: Duration = Duration::from_millis(1500);
#[test]
fn a_changed_limit_is_in_force_within_50_ms_and_never_absent() {
    require_root!();
    let lab = Lab::new().unwrap();
    for (direction, family) in Direction::ALL.into_iter().zip(Family::ALL) {
        assert_holds(|| {
            let (record, reports) = change_under_flood(&lab, direction, family)?;
            counters_never_fall(&reports, direction);
            Ok(record.readings())
        });
    }
}

/// Floods the host and changes its limit on the way.
fn change_under_flood(
    lab: &Lab,
    direction: Direction,
    family: Family,
) -> Result<(Record, Vec<HostReport>)> {
    lab.limit(HOST, family, direction, LIMITS[0])?;
    let (from, to) = ends(HOST, End::Server, direction);
    let meter = Meter::new(lab.router.namespace(to), family, Transport::Udp)?;
    let _flood = Flood::new(&lab.router, from, to, family).rate(200 * MBIT).start()?;
    let mut reports = Vec::new();
    let set = |limit| lab.limit(HOST, family, direction, limit);
    let record = Record::take(&meter, &LIMITS, STAY, set, || {
        reports.push(lab.agent.host(HOST.address(family))?);
        Ok(())
    })?;
    Ok((record, reports))
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
