use super::*;
use crate::{
    config::AgentKeys,
    control::{LinkSummary, NetnsView},
    policy::{GroupRequest, LimitRequest, RatesRequest},
    telemetry::HostsView,
};

fn down() -> RatesRequest {
    RatesRequest { bits_per_second: Some(10_000_000), ..Default::default() }
}

fn cells(table: &Table) -> Vec<String> {
    let text = table.render(false);
    let row = text.lines().nth(1).unwrap();
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_limit_shows_all_that_it_has() {
    let request = LimitRequest {
        action: "ecn".parse().unwrap(),
        group: Some("acme".parse().unwrap()),
        down: down(),
        one_time_burst_bytes: Some(1 << 20),
        ..Default::default()
    };
    let limit = request.check("10.0.0.0/24".parse().unwrap()).unwrap().value;
    assert_eq!(
        cells(&limits(&[LimitView::from(&limit)])),
        [
            "10.0.0.0/24",
            "each",
            "ecn",
            "acme",
            "-",
            "10mbit burst 312500b",
            "-",
            "one-time burst 1mb"
        ]
    );
}

#[test]
fn status_says_of_each_link_whether_it_can_pace() {
    let link = |pace_ready| LinkSummary {
        interface: Some("eth1".into()),
        ifindex: 3,
        side: "far".into(),
        hook: "tcx".into(),
        ingress: Some(Position::Tcx { place: 1, of: 2 }),
        egress: Some(Position::Clsact { priority: 10, handle: 0x7468 }),
        qdisc: Some("mq:fq".into()),
        state: "no_carrier".into(),
        pace_ready,
        warnings: Vec::new(),
    };
    for (is_ready, shown) in [(None, "-"), (Some(false), "no"), (Some(true), "yes")] {
        let status = StatusView {
            settings: AgentKeys::default(),
            instance: "default".into(),
            version: String::new(),
            pid: 1,
            uptime_seconds: 0.0,
            adopted: false,
            control_socket: String::new(),
            netns: NetnsView::default(),
            links: vec![link(is_ready)],
            limits: 0,
            hosts: HostsView::default(),
            warnings: Vec::new(),
        };
        let expected =
            ["eth1", "3", "far", "tcx", "1/2", "10 0x7468", "mq:fq", "no carrier", shown];
        assert_eq!(cells(&status.tables()[2]), expected);
    }
}

#[test]
fn an_exempt_peer_is_told_from_a_host() {
    let request = LimitRequest {
        matches: crate::policy::Match::Peer,
        action: "pass".parse().unwrap(),
        ..Default::default()
    };
    let limit = request.check("10.0.0.0/8".parse().unwrap()).unwrap().value;
    assert_eq!(cells(&limits(&[LimitView::from(&limit)]))[0], "10.0.0.0/8 (peer)");
}

#[test]
fn groups_and_links_show_their_rates() {
    let group = GroupRequest { down: down(), ..Default::default() };
    let group = group.check("acme".parse().unwrap()).unwrap().value;
    let shown = cells(&groups(&[GroupView::from(&group)]));
    assert_eq!(shown, ["acme", "drop", "-", "10mbit burst 312500b", "-"]);
    let link = LinkLimitView {
        interface: "eth1".into(),
        side: "far".into(),
        hook: "tcx".into(),
        action: group.action,
        overhead_bytes: 38,
        up: RatesView::default(),
        down: group.down.into(),
        total: RatesView::default(),
        pace_ready: Some(false),
    };
    assert_eq!(
        cells(&links(&[link])),
        ["eth1", "far", "tcx", "drop", "-", "10mbit burst 312500b", "-", "38b", "no"]
    );
}
