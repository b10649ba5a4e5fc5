//! Metrics, as a real Prometheus sees them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use throttle_tests::agent::{self, Outcome};
use throttle_tests::bars::Bar;
use throttle_tests::flood::Flood;
use throttle_tests::http::{self, Answer};
use throttle_tests::lab::Lab;
use throttle_tests::netns::unique_name;
use throttle_tests::prometheus::{Prometheus, check_metrics};
use throttle_tests::require_root;
use throttle_tests::router::{End, HOSTS, Router};
use throttle_tests::traffic::{Direction, Family, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
/// How long something may take to become so.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_prometheus_reads_the_very_counters_that_stats_prints() {
    require_root!();
    let mut lab = lab(&["--metrics", "9190"]);
    let flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT);
    let flood = flood.start().unwrap();
    let router = lab.router.namespace(End::Router);
    let prometheus = Prometheus::start(router, address()).unwrap();
    let prefix = HOST.prefix(Family::V4);
    let passed = format!(
        "rate(throttle_limit_bytes_total{{prefix='{prefix}',direction='up',result='passed'}}[5s]) * 8"
    );
    eventually(|| {
        let rate = prometheus.value(&passed).unwrap().unwrap_or_default();
        let percent = rate / LIMIT as f64 * 100.0;
        Bar::Within(5.0).holds(percent).then_some(()).ok_or(format!("{percent} % of the limit"))
    });
    let rate = "throttle_host_rate_bytes_per_second{direction='up'} * 8";
    let rate = prometheus.value(rate).unwrap().expect("one host");
    assert!(rate > LIMIT as f64 / 2.0, "{rate}");
    drop(flood);
    eventually(|| {
        let stats: Value = lab.agent.json("stats").unwrap();
        differences(&stats, &prometheus)
    });
    // A restarted agent adopts its counters: they go on, and never back.
    let before = prometheus.value("throttle_start_time_seconds").unwrap();
    lab.agent.kill().unwrap();
    lab.agent.restart().unwrap();
    eventually(|| {
        let now = prometheus.value("throttle_start_time_seconds").unwrap();
        (now.is_some() && now != before).then_some(()).ok_or("the old process".to_owned())
    });
    for counter in ["link_bytes", "limit_packets", "reason_packets"] {
        let resets = prometheus.query(&format!("resets(throttle_{counter}_total[1m]) > 0"));
        assert_eq!(resets.unwrap(), [], "{counter}");
    }
}

#[test]
fn a_scrape_is_sound_in_both_formats_and_bounded() {
    require_root!();
    let lab = lab(&["--metrics", "[::]:9190", "--metrics-hosts", "2"]);
    let _floods: Vec<_> = (0..HOSTS)
        .map(|number| {
            let flood = Flood::new(&lab.router, End::host(number), End::Server, Family::V4);
            flood.rate(MBIT).start().unwrap()
        })
        .collect();
    eventually(|| {
        let text = scrape(&lab, &["Accept: text/plain"]).body;
        let hosts = labels(&text, "host");
        (hosts.len() == 2).then_some(()).ok_or(format!("{hosts:?}"))
    });
    let classic = scrape(&lab, &["Accept: text/plain"]);
    assert!(classic.head.contains("content-type: text/plain; version=0.0.4"), "{}", classic.head);
    assert_eq!(check_metrics(&classic.body).unwrap(), "");
    let open = scrape(&lab, &[]);
    assert!(open.head.contains("application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.body.ends_with("\n# EOF\n"));
    assert!(lab.agent.log().contains("there is no authentication"), "{}", lab.agent.log());
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    require_root!();
    let lab = lab(&["--metrics", "9190"]);
    lab.agent.done("group set acme --down 100mbit").unwrap();
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(LIMIT).start();
    let prometheus = Prometheus::start(lab.router.namespace(End::Router), address()).unwrap();
    let metrics = eventually(|| {
        let series = prometheus.query("{__name__=~'throttle_.*'}").unwrap();
        let names: BTreeSet<_> = series.iter().map(|(labels, _)| name(labels)).collect();
        let all = names.contains("throttle_host_excess_packets");
        if all { Ok(names) } else { Err(format!("{names:?}")) }
    });
    let expressions = dashboard_expressions();
    assert!(!expressions.is_empty());
    for expression in &expressions {
        let asked: Vec<_> =
            words(expression).filter(|word| word.starts_with("throttle_")).collect();
        assert!(!asked.is_empty(), "{expression}");
        for metric in asked {
            assert!(metrics.contains(metric), "{expression}: no {metric} among {metrics:?}");
        }
        let concrete = expression
            .replace("$instance", ".*")
            .replace("$__rate_interval", "5s")
            .replace("$__range", "1m");
        prometheus.query(&concrete).unwrap_or_else(|error| panic!("{expression}: {error:#}"));
    }
}

#[test]
fn an_address_that_is_taken_keeps_the_agent_from_starting() {
    require_root!();
    let lab = lab(&["--metrics", "9190"]);
    let namespace = lab.router.namespace(End::Router).name();
    let mut other = Command::new(agent::binary());
    other.args(["--instance", &unique_name()]);
    other.args(["run", "--netns", namespace, "--iface", "wan0", "--metrics", "9190"]);
    let outcome = Outcome::of(&mut other).unwrap();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for words in ["listening for metrics on 127.0.0.1:9190", "hint: give another address or port"] {
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
}

fn lab(options: &[&str]) -> Lab {
    let options: Vec<_> = ["--iface", "lan0"].iter().chain(options).copied().collect();
    let lab = Lab::with(Router::new().unwrap(), &options).unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    lab.limit_both(|family| throttle_tests::router::lan_prefix(0, family), "each", LIMIT).unwrap();
    lab
}

fn address() -> SocketAddr {
    "127.0.0.1:9190".parse().unwrap()
}

fn scrape(lab: &Lab, headers: &[&str]) -> Answer {
    let router = lab.router.namespace(End::Router);
    let answer = http::get(router, address(), "/metrics", headers).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// What Prometheus has that differs from what `stats` prints.
fn differences(stats: &Value, prometheus: &Prometheus<'_>) -> Result<(), String> {
    let link = "interface='lan0'".to_owned();
    let prefix = HOST.prefix(Family::V4);
    let limit = format!("prefix='{prefix}',match='host'");
    let limits = stats["limits"].as_array().unwrap();
    let of_limit = limits.iter().find(|row| row["prefix"] == *prefix).unwrap();
    for (what, labels, row) in [("link", link, &stats["links"][0]), ("limit", limit, of_limit)] {
        for (direction, result, unit) in [
            ("up", "passed", "bytes"),
            ("up", "passed", "packets"),
            ("up", "excess", "bytes"),
            ("up", "excess", "packets"),
            ("down", "passed", "bytes"),
        ] {
            let expression = format!(
                "throttle_{what}_{unit}_total{{{labels},direction='{direction}',result='{result}'}}"
            );
            let printed = row[direction][format!("{result}_{unit}")].as_f64();
            let scraped = prometheus.value(&expression).unwrap();
            if printed != scraped {
                return Err(format!("{expression}: {scraped:?}, but stats has {printed:?}"));
            }
        }
    }
    let printed = stats["reasons"]["host_bytes"].as_f64();
    let scraped = prometheus.value("sum(throttle_reason_packets_total{reason='host_bytes'})");
    let scraped = scraped.unwrap();
    if printed == scraped { Ok(()) } else { Err(format!("{scraped:?}, not {printed:?}")) }
}

/// Tries until it works.
fn eventually<T>(mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(why) => assert!(Instant::now() < deadline, "{why}"),
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The values of one label in a scrape.
fn labels(text: &str, name: &str) -> BTreeSet<String> {
    let start = format!("{{{name}=\"");
    let values = text.lines().filter_map(|line| line.split_once(&start)?.1.split_once('"'));
    values.map(|(value, _)| value.to_owned()).collect()
}

fn name(labels: &Value) -> String {
    labels["__name__"].as_str().unwrap_or_default().to_owned()
}

/// Everything that the dashboard asks Prometheus for.
fn dashboard_expressions() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/grafana/throttle.json");
    let text = std::fs::read_to_string(path).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
}
