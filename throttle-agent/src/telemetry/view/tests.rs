//! The shapes that scripts rely on.

use serde_json::json;

use super::*;
use crate::datapath::{HostPlace, LinkStatus};

fn tallies(set: &[(Reason, u64, u64)]) -> [Tally; Reason::COUNT] {
    Reason::ALL.map(|reason| {
        let found = set.iter().find(|(counted, ..)| *counted == reason);
        found.map_or(Tally::default(), |&(_, packets, bytes)| Tally { packets, bytes })
    })
}

fn counters() -> Counters {
    let link = LinkStatus {
        interface: Some("eth1".into()),
        ifindex: 3,
        side: Side::Far,
        hook: HookKind::Tcx,
        pace_ready: None,
        fq: None,
    };
    let up = tallies(&[(Reason::Conforms, 2, 200), (Reason::NoLimit, 1, 50)]);
    let down = tallies(&[
        (Reason::HostBytes, 4, 400),
        (Reason::OverflowBytes, 5, 500),
        (Reason::OverflowConforms, 6, 600),
    ]);
    let usage = Usage {
        passed: Tally { packets: 1, bytes: 100 },
        excess: Tally { packets: 2, bytes: 300 },
        wait_ns: 7,
    };
    Counters {
        links: vec![LinkCounters { link, up, down }],
        limits: vec![LimitCounters {
            prefix: "10.0.0.0/24".parse().unwrap(),
            matches: Match::Host,
            up: Usage::default(),
            down: usage,
        }],
        groups: vec![GroupCounters {
            name: "acme".parse().unwrap(),
            up: usage,
            down: Usage::default(),
        }],
        hosts_tracked: 9,
        hosts_capacity: 10,
        generation: 3,
    }
}

fn flow(bytes: u64, packets: u64, excess: (u64, u64), rate: u64) -> serde_json::Value {
    json!({"passed_bytes": bytes, "passed_packets": packets, "excess_bytes": excess.0,
           "excess_packets": excess.1, "bits_per_second": rate})
}

fn stats() -> StatsView {
    let rates = RatesOf { link: &|_| [80, 0], group: &|_| [70, 0], limit: &|_| [0, 90] };
    StatsView::new(&counters(), rates)
}

#[test]
fn stats_have_the_designed_shape() {
    let view = stats();
    let value = serde_json::to_value(&view).unwrap();
    let tally = |packets: u64, bytes: u64| json!({"packets": packets, "bytes": bytes});
    let sent_down = |packets, bytes| json!({"up": tally(0, 0), "down": tally(packets, bytes)});
    let sent_up = |packets, bytes| json!({"up": tally(packets, bytes), "down": tally(0, 0)});
    assert_eq!(
        value["links"],
        json!([{"interface": "eth1", "side": "far", "hook": "tcx",
                "up": flow(250, 3, (0, 0), 80), "down": flow(600, 6, (900, 9), 0),
                "reasons": {"conforms": sent_up(2, 200), "no_limit": sent_up(1, 50),
                            "host_bytes": sent_down(4, 400), "overflow_bytes": sent_down(5, 500),
                            "overflow_conforms": sent_down(6, 600)}}])
    );
    assert_eq!(value["generation"], 3);
    assert_eq!(
        value["limits"],
        json!([{"prefix": "10.0.0.0/24", "match": "host", "up": flow(0, 0, (0, 0), 0),
                "down": flow(100, 1, (300, 2), 90)}])
    );
    assert_eq!(
        value["groups"],
        json!([{"name": "acme", "up": flow(100, 1, (300, 2), 70), "down": flow(0, 0, (0, 0), 0)}])
    );
    assert_eq!(value["hosts"], json!({"tracked": 9, "capacity": 10, "overflowed": 11}));
}

#[test]
fn every_reason_is_shown_once() {
    let view = stats();
    assert_eq!(view.reasons.len(), Reason::COUNT);
    assert_eq!(view.reasons["host_bytes"], 4);
    assert_eq!(view.reasons["conforms"], 2);
    assert_eq!(view.reasons["not_ip"], 0);
}

#[test]
fn a_host_has_the_designed_shape() {
    let host = HostState {
        place: HostPlace::default(),
        address: "10.0.0.7".parse().unwrap(),
        limit: Some("10.0.0.0/24".parse().unwrap()),
        group: Some("acme".parse().unwrap()),
        up: Usage { wait_ns: 5, ..Usage::default() },
        down: Usage::default(),
        last_excess: [None, None],
        idle_ns: Some(200_000_000),
    };
    let direction = |rate: u64, wait: u64| {
        let mut value = flow(0, 0, (0, 0), rate);
        value["wait_ns"] = wait.into();
        value
    };
    assert_eq!(
        serde_json::to_value(HostView::new(&host, 64, [1, 2])).unwrap(),
        json!({"host": "10.0.0.7", "limit": "10.0.0.0/24", "group": "acme",
               "up": direction(1, 5), "down": direction(2, 0), "last_seen_seconds_ago": 0.2})
    );
}

#[test]
fn an_ipv6_host_is_shown_as_its_prefix() {
    let host = HostState {
        place: HostPlace::default(),
        address: "2001:db8::".parse().unwrap(),
        limit: None,
        group: None,
        up: Usage::default(),
        down: Usage::default(),
        last_excess: [None, None],
        idle_ns: None,
    };
    let name = |bits| HostView::new(&host, bits, [0; 2]).host;
    assert_eq!((name(56).as_str(), name(128).as_str()), ("2001:db8::/56", "2001:db8::"));
}

#[test]
fn the_fill_of_the_host_table_is_told_in_words() {
    assert_eq!(
        stats().hosts.to_string(),
        "9 hosts tracked, room for 10, 11 packets charged to overflow buckets"
    );
}

#[test]
fn views_survive_the_way_through_json() {
    let view = stats();
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<StatsView>(&text).unwrap(), view);
}
