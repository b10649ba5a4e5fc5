use std::{collections::BTreeMap, sync::Arc, time::Duration, time::Instant};

use serde_json::json;

use super::*;
use crate::{
    policy::RatesView,
    telemetry::{FlowView, HostFlowView, HostView, HostsView, LinkView, StatsView, TopHosts},
};

fn flow(bits_per_second: u64, excess_bytes: u64) -> FlowView {
    FlowView { bits_per_second, excess_bytes, ..FlowView::default() }
}

fn host(name: &str, down_rate: u64, excess_bytes: u64) -> HostView {
    let of = |flow| HostFlowView { flow, wait_ns: 0 };
    HostView {
        host: name.into(),
        limit: Some("10.0.0.0/24".parse().unwrap()),
        group: None,
        up: of(flow(0, 0)),
        down: of(flow(down_rate, excess_bytes)),
        last_seen_seconds_ago: None,
    }
}

fn snapshot(at: Instant, hosts: Vec<HostView>, packets: u64) -> Snapshot {
    let reasons = BTreeMap::from([("host_bytes".to_owned(), packets)]);
    let hosts_view = HostsView { tracked: 5, capacity: 10, overflowed: packets };
    let stats = StatsView { reasons, hosts: hosts_view, generation: 3, ..StatsView::default() };
    Snapshot {
        at,
        at_unix_ms: 1000,
        stats: Arc::new(stats),
        hosts: Arc::new(TopHosts::new(hosts)),
        rates: RatesInForce::default(),
        process: ProcessUse::default(),
        requests: 0,
        hosts_expired: 0,
        sample_ns: 0,
        events: 0,
        events_lost: 0,
    }
}

/// Half a second, in which one host had 10,000 bytes too much.
fn half_a_second() -> [Snapshot; 2] {
    let start = Instant::now();
    let before = snapshot(start, vec![host("10.0.0.7", 0, 0)], 100);
    let hosts = vec![host("10.0.0.7", 5_000_000, 10_000), host("10.0.0.8", 1_000, 7)];
    let mut now = snapshot(start + Duration::from_millis(500), hosts, 200);
    let down = RatesView { bits_per_second: Some(10_000_000), ..RatesView::default() };
    let rates = [RatesView::default(), down, RatesView::default()];
    now.rates.limits.insert("10.0.0.0/24".parse().unwrap(), rates);
    [before, now]
}

#[test]
fn a_host_is_told_with_its_excess_and_what_it_uses_of_its_limit() {
    let [before, now] = half_a_second();
    let hosts = Bandwidth::between(&before, &now).hosts;
    assert_eq!(hosts[0].host, "10.0.0.7");
    let down = hosts[0].down;
    assert_eq!((down.passed_bits_per_second, down.limit_percent), (5_000_000, Some(50.0)));
    assert_eq!(down.excess_bits_per_second, Some(160_000));
    assert_eq!(hosts[0].up.limit_percent, None);
    // Of a host that was not listed before, nobody knows when its excess was.
    assert_eq!((hosts[1].host.as_str(), hosts[1].down.excess_bits_per_second), ("10.0.0.8", None));
}

#[test]
fn of_a_rate_for_both_directions_both_count() {
    let start = Instant::now();
    let view = LinkView {
        interface: Some("eth1".into()),
        side: "far".into(),
        hook: "tcx".into(),
        up: flow(2_000_000, 0),
        down: flow(3_000_000, 0),
        reasons: Default::default(),
    };
    let mut now = snapshot(start + Duration::from_secs(1), vec![], 0);
    now.stats = Arc::new(StatsView { links: vec![view], ..StatsView::default() });
    let total = RatesView { bits_per_second: Some(10_000_000), ..RatesView::default() };
    now.rates.links.insert("eth1".into(), [RatesView::default(), RatesView::default(), total]);
    let link = &Bandwidth::between(&snapshot(start, vec![], 0), &now).links[0];
    assert_eq!([link.up.limit_percent, link.down.limit_percent], [Some(50.0); 2]);
}

#[test]
fn rates_are_over_the_time_that_really_passed() {
    let [before, mut now] = half_a_second();
    assert_eq!(Packets::between(&before, &now).packets_per_second["host_bytes"], 200);
    now.process.cpu_ns = 50_000_000;
    let load = Load::between(&before, &now);
    assert_eq!((load.cpu_percent, load.hosts_percent), (10.0, 50.0));
    assert_eq!(load.overflowed_packets_per_second, 200);
    // Backwards, as when a link is detached: nothing is told rather than nonsense.
    let mut later = before.clone();
    later.at = now.at + Duration::from_secs(1);
    assert_eq!(Packets::between(&now, &later).packets_per_second["host_bytes"], 0);
    assert_eq!(Load::between(&now, &later).overflowed_packets_per_second, 0);
}

#[test]
fn hosts_come_and_go() {
    let [before, mut now] = half_a_second();
    now.hosts_expired = 3;
    let debug = Debug::between(&before, &now);
    assert_eq!((debug.hosts_made, debug.hosts_expired, debug.generation), (3, 3, 3));
}

#[test]
fn the_json_names_the_report_and_its_time() {
    let [before, now] = half_a_second();
    let value = serde_json::to_value(TimedReport::between(Trace::Packets, &before, &now)).unwrap();
    assert_eq!(
        value,
        json!({"report": "packets", "packets_per_second": {"host_bytes": 200}, "at_unix_ms": 1000})
    );
}

#[test]
fn a_list_of_kinds_has_each_once_and_names_what_is_accepted() {
    let traces: Traces = "load, bandwidth,load".parse().unwrap();
    assert_eq!(traces.to_string(), "bandwidth,load");
    let error = "load,disk".parse::<Traces>().unwrap_err();
    assert_eq!(error, "\"disk\" is no trace: write some of bandwidth,packets,load,debug");
    assert!("".parse::<Traces>().is_err());
}

#[test]
fn the_process_tells_what_it_uses() {
    let used = ProcessUse::read().unwrap();
    assert!(used.cpu_ns > 0 && used.resident_bytes > 1 << 20, "{used:?}");
}
