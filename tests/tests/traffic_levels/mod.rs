//! Groups and links above hosts: the tightest level holds, and each holds exactly.

mod actions;
mod rates;

use std::time::Duration;

use anyhow::Result;
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::change::Record;
use throttle_tests::flood::{Flood, Offered};
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::scenario::{ends, flood_hosts};
use throttle_tests::traffic::{Case, Direction, Family, MBIT, Transport, rate_argument};

const LINK: &str = "lan0";
const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
const OFFERED: u64 = 40 * MBIT;
const WINDOW: Duration = Duration::from_millis(1500);
const TOLERANCE: f64 = 2.0;
const SMALL_BURST_BYTES: u64 = 64 << 10;

#[test]
fn the_members_of_a_group_share_its_rate_and_keep_their_own() {
    require_root!();
    let lab = Lab::new().unwrap();
    let (own, members) = (8 * MBIT, [End::host(0), End::host(1)]);
    lab.agent.done("group set acme --down 20mbit --up 10mbit").unwrap();
    for member in members {
        limit_member(&lab, member, own, "--group acme");
    }
    let outsider = End::host(2);
    limit_member(&lab, outsider, own, "");
    let flows = [
        every_case(&members),
        vec![(outsider, Case { direction: Direction::Down, family: Family::V4 })],
    ]
    .concat();
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, 3 * own)?;
        let (of_group, outside) = rates.split_at(flows.len() - 1);
        let mut readings = at_most(&flows, of_group, |_| own);
        for (direction, limit) in [(Direction::Down, 20 * MBIT), (Direction::Up, 10 * MBIT)] {
            let what = format!("group {direction}");
            readings.push(within(&what, sum(&flows, of_group, direction), limit));
        }
        readings.push(within("outside the group", outside[0], own));
        Ok(readings)
    });
    lab.agent.done("group set acme --down 100mbit --up 100mbit").unwrap();
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, 3 * own)?;
        let each = flows.iter().zip(rates);
        Ok(each.map(|(flow, rate)| within(&name(flow), rate, own)).collect())
    });
}

#[test]
fn a_group_with_members_is_not_deleted() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.agent.done("group set acme --down 20mbit").unwrap();
    limit_member(&lab, HOST, LIMIT, "--group acme");
    let refused = lab.agent.cli("group del acme").unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("10.77.0.10"), "names a member: {refused:?}");
    for family in Family::ALL {
        lab.agent.done(&format!("limit del {}", HOST.prefix(family))).unwrap();
    }
    lab.agent.done("group del acme").unwrap();
    assert_eq!(lab.agent.cli("group del acme").unwrap().code, Some(3));
}

#[test]
fn a_link_is_held_to_its_rate() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.agent.done("link set lan0 --down 30mbit").unwrap();
    let hosts = [0, 1, 2].map(End::host);
    for host in hosts {
        limit_member(&lab, host, 15 * MBIT, "");
    }
    let flows = every_case(&hosts);
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, 30 * MBIT)?;
        let mut readings = at_most(&flows, &rates, |_| 15 * MBIT);
        readings.push(within("link down", sum(&flows, &rates, Direction::Down), 30 * MBIT));
        let up = flows.iter().zip(&rates).filter(|((_, case), _)| case.direction == Direction::Up);
        readings.extend(up.map(|(flow, rate)| within(&name(flow), *rate, 15 * MBIT)));
        Ok(readings)
    });
    // A host without a limit is on the link as well.
    let flows = every_case(&[End::host(3)]);
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, OFFERED)?;
        let up = within("no limit, link up", sum(&flows, &rates, Direction::Up), 2 * OFFERED);
        let down = sum(&flows, &rates, Direction::Down);
        Ok(vec![up, within("no limit, link down", down, 30 * MBIT)])
    });
}

#[test]
fn hosts_a_group_and_the_link_hold_at_once() {
    require_root!();
    let lab = Lab::new().unwrap();
    let (members, outsider) = ([End::host(0), End::host(1)], End::host(2));
    lab.agent.done("group set acme --down 20mbit --up 20mbit").unwrap();
    lab.agent.done("link set lan0 --down 30mbit --up 30mbit").unwrap();
    for member in members {
        limit_member(&lab, member, 12 * MBIT, "--group acme");
    }
    limit_member(&lab, outsider, 15 * MBIT, "");
    let v4 = |host| Direction::ALL.map(|direction| (host, Case { direction, family: Family::V4 }));
    let flows = [members[0], members[1], outsider].map(v4).concat();
    let own = |host| if host == outsider { 15 * MBIT } else { 12 * MBIT };
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, OFFERED)?;
        let mut readings = at_most(&flows, &rates, own);
        for direction in Direction::ALL {
            let what = format!("link {direction}");
            readings.push(within(&what, sum(&flows, &rates, direction), 30 * MBIT));
            let group = sum(&flows[..4], &rates[..4], direction);
            let bar = Bar::AtMost(100.0 + TOLERANCE);
            let what = format!("group {direction}");
            readings.push(Reading::new(what, group, (20 * MBIT) as f64, "bit/s", bar));
        }
        Ok(readings)
    });
    // Without the link's limit the group is what holds its members.
    lab.agent.done("link set lan0").unwrap();
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, OFFERED)?;
        let group = |direction| sum(&flows[..4], &rates[..4], direction);
        let of_group = Direction::ALL
            .map(|direction| within(&format!("group {direction}"), group(direction), 20 * MBIT));
        let outside = [4, 5].map(|flow| within(&name(&flows[flow]), rates[flow], 15 * MBIT));
        Ok([of_group, outside].concat())
    });
}

#[test]
fn a_changed_group_is_in_force_within_50_ms_and_never_absent() {
    require_root!();
    const LIMITS: [u64; 3] = [10 * MBIT, 40 * MBIT, 5 * MBIT];
    let lab = Lab::new().unwrap();
    let set = |rate| {
        let rate = rate_argument(rate);
        lab.agent.done(&format!("group set acme --up {rate} --down {rate}")).map(drop)
    };
    set(LIMITS[0]).unwrap();
    let members = [End::host(0), End::host(1)];
    for member in members {
        limit_member(&lab, member, 100 * MBIT, "--group acme");
    }
    for direction in Direction::ALL {
        assert_holds(|| {
            set(LIMITS[0])?;
            let receiver = ends(HOST, End::Server, direction).1;
            let namespace = lab.router.namespace(receiver);
            let meter = Meter::new(namespace, Family::V4, Transport::Udp)?;
            let _floods = members.map(|member| {
                let (from, to) = ends(member, End::Server, direction);
                Flood::new(&lab.router, from, to, Family::V4).rate(60 * MBIT).start().unwrap()
            });
            let stay = Duration::from_millis(700);
            Ok(Record::take(&meter, &LIMITS, stay, set, || Ok(()))?.readings())
        });
    }
}

/// Limits a host by the same rate in every case.
fn limit_member(lab: &Lab, host: End, bits_per_second: u64, words: &str) {
    let rate = rate_argument(bits_per_second);
    for family in Family::ALL {
        let prefix = host.prefix(family);
        lab.limit_set(&format!("{prefix} --up {rate} --down {rate} {words}")).unwrap();
    }
}

/// Limits [`HOST`] to [`LIMIT`] with a small burst.
fn limit_host(lab: &Lab, words: &str) {
    limit_member(lab, HOST, LIMIT, &format!("--burst 64kib {words}"));
}

/// Floods each host in its case at once; returns the rates.
fn flood_each(lab: &Lab, flows: &[(End, Case)], offered: u64) -> Result<Vec<f64>> {
    flood_hosts(&lab.router, flows, offered, WINDOW)
}

/// What a limit with a small burst has room for while a flood lasts, in bytes.
fn allowed(bits_per_second: u64, offered: &Offered) -> f64 {
    let seconds = offered.bytes as f64 * 8.0 / offered.bits_per_second;
    SMALL_BURST_BYTES as f64 + bits_per_second as f64 / 8.0 * seconds
}

fn every_case(hosts: &[End]) -> Vec<(End, Case)> {
    hosts.iter().flat_map(|&host| Case::ALL.map(|case| (host, case))).collect()
}

fn sum(flows: &[(End, Case)], rates: &[f64], direction: Direction) -> f64 {
    let of = flows.iter().zip(rates).filter(|((_, case), _)| case.direction == direction);
    of.map(|(_, rate)| rate).sum()
}

fn at_most(flows: &[(End, Case)], rates: &[f64], limit: impl Fn(End) -> u64) -> Vec<Reading> {
    let reading = |(flow, rate): (&(End, Case), &f64)| {
        let bar = Bar::AtMost(100.0 + TOLERANCE);
        Reading::new(name(flow), *rate, limit(flow.0) as f64, "bit/s", bar)
    };
    flows.iter().zip(rates).map(reading).collect()
}

fn within(what: &str, rate: f64, limit: u64) -> Reading {
    Reading::new(what, rate, limit as f64, "bit/s", Bar::Within(TOLERANCE))
}

fn name((end, case): &(End, Case)) -> String {
    format!("{end:?}, {case}")
}
