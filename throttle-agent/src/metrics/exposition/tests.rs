use std::time::Instant;

use crate::{
    agent::{Info, fake::FakeEngine},
    control::claim,
    telemetry::{
        FlowView, GroupUsageView, HostFlowView, HostView, HostsView, LimitUsageView, LinkView,
        ReasonView, StatsView, TallyView, TopHosts,
    },
};

use super::*;

fn flow(bytes: u64, bits_per_second: u64) -> FlowView {
    FlowView {
        passed_bytes: bytes,
        passed_packets: bytes / 100,
        excess_bytes: 10 * bytes,
        excess_packets: bytes / 10,
        bits_per_second,
    }
}

fn link(interface: Option<&str>) -> LinkView {
    let overflow = TallyView { packets: 6, bytes: 600 };
    let view = ReasonView { up: overflow, down: TallyView::default() };
    LinkView {
        interface: interface.map(str::to_owned),
        side: "far".into(),
        hook: "tcx".into(),
        up: flow(1000, 0),
        down: flow(0, 0),
        reasons: [("overflow_bytes".to_owned(), view)].into(),
    }
}

fn limit(number: usize, bytes: u64) -> LimitUsageView {
    let prefix = format!("10.{}.{}.0/24", number / 256, number % 256).parse().unwrap();
    LimitUsageView { prefix, matches: Default::default(), up: flow(0, 0), down: flow(bytes, 0) }
}

fn host(name: &str, up_bits_per_second: u64, down_bits_per_second: u64) -> HostView {
    let flow = |rate| HostFlowView { flow: flow(100, rate), wait_ns: 0 };
    HostView {
        host: name.to_owned(),
        limit: None,
        group: None,
        up: flow(up_bits_per_second),
        down: flow(down_bits_per_second),
        last_seen_seconds_ago: None,
    }
}

fn sample(limits: Vec<LimitUsageView>, hosts: Vec<HostView>) -> Arc<Sample> {
    let stats = StatsView {
        links: vec![link(Some("eth\"1\\")), link(None), link(None)],
        groups: vec![GroupUsageView {
            name: "acme".parse().unwrap(),
            up: flow(200, 0),
            down: flow(0, 0),
        }],
        limits,
        hosts: HostsView { tracked: 5, capacity: 10, overflowed: 6 },
        generation: 7,
        ..StatsView::default()
    };
    let hosts = Arc::new(TopHosts::new(hosts));
    Arc::new(Sample { at_unix_ms: 1500, stats: Arc::new(stats), hosts })
}

fn scrapes(top_hosts: usize) -> Scrapes {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("test.sock");
    let (_, file) = claim(&socket).unwrap();
    let instance = "blue".parse().unwrap();
    let info = Info { instance, socket, adopted: false, started: Instant::now() };
    let agent = Arc::new(Agent::new(info, Box::new(FakeEngine::new()), file));
    Scrapes::new(&agent, top_hosts)
}

fn text(scrapes: &Scrapes, sample: Arc<Sample>) -> String {
    String::from_utf8(scrapes.open_metrics(sample).unwrap().to_vec()).unwrap()
}

#[test]
fn every_metric_says_what_it_is_and_has_the_values_of_the_sample() {
    let text = text(&scrapes(9), sample(vec![limit(1, 300)], vec![host("10.0.0.7", 800, 8)]));
    for line in [
        "# HELP throttle_policy_generation Number of the policy in force, which every change raises.",
        "# TYPE throttle_policy_generation gauge",
        "throttle_policy_generation 7.0",
        "throttle_build_info{version=\"0.1.0\",agent_instance=\"blue\"} 1.0",
        "throttle_sample_timestamp_seconds 1.5",
        "throttle_hosts 5.0",
        "throttle_hosts_capacity 10.0",
        "# TYPE throttle_events_lost counter",
        "throttle_events_lost_total 0",
        "throttle_link_bytes_total{interface=\"eth\\\"1\\\\\",direction=\"up\",result=\"passed\"} 1000",
        "throttle_overflow_packets_total{interface=\"eth\\\"1\\\\\"} 6",
        "throttle_reason_bytes_total{interface=\"eth\\\"1\\\\\",direction=\"up\",reason=\"overflow_bytes\"} 600",
        "throttle_limit_packets_total{prefix=\"10.0.1.0/24\",match=\"host\",direction=\"down\",result=\"excess\"} 30",
        "throttle_group_bytes_total{group=\"acme\",direction=\"up\",result=\"excess\"} 2000",
        "throttle_host_rate_bytes_per_second{host=\"10.0.0.7\",direction=\"up\"} 100.0",
        "throttle_host_excess_packets{host=\"10.0.0.7\",direction=\"down\"} 10.0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn no_series_is_told_twice() {
    let hosts = vec![host("10.0.0.7", 1, 2), host("10.0.0.8", 2, 1)];
    let text = text(&scrapes(9), sample(vec![limit(1, 1), limit(2, 2)], hosts));
    let mut series: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|l| l.rsplit_once(' '))
        .collect();
    series.sort_unstable();
    let all = series.len();
    series.dedup_by_key(|(name, _)| *name);
    assert_eq!(series.len(), all);
}

#[test]
fn limits_without_series_of_their_own_are_summed() {
    let limits = |bytes| {
        (0..OWN_SERIES + 500).map(|n| limit(n, bytes + u64::from(n < OWN_SERIES))).collect()
    };
    let scrapes = scrapes(0);
    let series = |text: &str| {
        let name = "throttle_limit_bytes_total{";
        let down = ",direction=\"down\",result=\"passed\"}";
        text.lines().filter(|line| line.starts_with(name) && line.contains(down)).count()
    };
    let others = "throttle_limit_bytes_total{prefix=\"(other)\",match=\"(other)\",\
                  direction=\"down\",result=\"passed\"}";
    for bytes in [10, 20] {
        let text = text(&scrapes, sample(limits(bytes), vec![]));
        assert_eq!(series(&text), OWN_SERIES + 1);
        assert!(text.contains(&format!("{others} {}\n", 500 * bytes)), "{text}");
    }
}

#[test]
fn the_first_hosts_of_every_order_have_metrics_and_no_more() {
    let hosts = vec![host("down", 0, 900), host("up", 900, 0), host("idle", 1, 1)];
    let text = text(&scrapes(2), sample(vec![], hosts));
    let has = |name: &str| text.contains(&format!("host=\"{name}\""));
    assert!(has("down") && has("up") && !has("idle"), "{text}");
    let none = super::tests::text(&scrapes(0), sample(vec![], vec![host("down", 0, 900)]));
    assert!(!none.contains("throttle_host_rate"), "{none}");
}

#[test]
fn a_sample_is_written_once_however_many_ask() {
    let (scrapes, sample) = (scrapes(1), sample(vec![], vec![]));
    let [one, other] = [(); 2].map(|()| scrapes.open_metrics(Arc::clone(&sample)).unwrap());
    assert_eq!(one.as_ptr(), other.as_ptr());
}

#[test]
fn whoever_knows_only_the_older_format_gets_it() {
    for (accept, form) in [
        ("", Form::OpenMetrics),
        ("*/*", Form::OpenMetrics),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            Form::OpenMetrics,
        ),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Form::Classic),
    ] {
        assert_eq!(Form::accepted(accept), form, "{accept}");
    }
}
