//! A limit that paces lets packets wait in fq until they conform.

mod room;

use std::net::UdpSocket;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;
use throttle_tests::arrivals::{Arrivals, fewest_and_most};
use throttle_tests::audit;
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::classes::ClassSink;
use throttle_tests::flood::Flood;
use throttle_tests::guest::set_qdisc;
use throttle_tests::lab::Lab;
use throttle_tests::netns::Namespace;
use throttle_tests::require_guest;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::{self, ends};
use throttle_tests::traffic::{Case, Direction, Family, MBIT, rate_argument};

const HOST: End = End::host(0);
const LIMIT: u64 = 4 * MBIT;
const OFFERED: u64 = 3 * LIMIT;
/// One packet of 1500 bytes at the limit.
const SPACING: Duration = Duration::from_nanos(1500 * 8 * 1_000_000_000 / LIMIT);
const WINDOW: Duration = Duration::from_secs(2);
/// Of a full segment.
const TCP_PAYLOAD_BYTES: f64 = 1448.0;
const DOWN: [Case; 2] = Case::of(Direction::Down);
const UP: [Case; 2] = Case::of(Direction::Up);
/// How long the agent may take to notice another qdisc.
const NOTICED: Duration = Duration::from_secs(15);

#[test]
fn floods_are_delayed_to_exactly_the_limit_and_refused_beyond_the_horizon() {
    require_guest!();
    let lab = with_fq();
    limit(&lab, "pace");
    assert_holds(|| {
        let audits =
            audit::floods(&lab, (HOST, End::Server), &DOWN, WINDOW, |flood| flood.rate(OFFERED))?;
        let reading = |audit: &audit::Audit| {
            // What waits arrives; what would wait too long is refused, and nothing else is lost.
            audit.entry.assert_agrees();
            let counted = audit.entry.counted;
            assert_eq!(counted.passed_packets + counted.excess_packets, audit.offered.packets);
            assert!(counted.excess_packets > 0, "{}", audit.entry);
            audit.reading(LIMIT, 2.0)
        };
        Ok(audits.iter().map(reading).collect())
    });
    assert!(lab.reason("paced").unwrap() > 0);
    assert!(lab.reason("host_bytes").unwrap() > 0);
}

#[test]
fn a_flood_is_delivered_evenly() {
    require_guest!();
    let lab = with_fq();
    limit(&lab, "pace");
    let window = Duration::from_millis(50);
    let due = window.as_secs_f64() / SPACING.as_secs_f64();
    for Case { direction, family } in DOWN {
        let (from, to) = ends(HOST, End::Server, direction);
        let arrivals = Arrivals::bind(&lab.router, to, family).unwrap();
        let flood = Flood::new(&lab.router, from, to, family).port(arrivals.port());
        let flood = flood.rate(OFFERED).start().unwrap();
        // A measurement may be spoiled by whatever else the machine does: the best one counts.
        let measure = || {
            arrivals.take();
            sleep(Duration::from_secs(1));
            fewest_and_most(&arrivals.take(), window)
        };
        let counts = [(); 3].map(|()| measure());
        println!("{family}: {due:.1} packets per window, fewest and most: {counts:?}");
        let off = counts.map(|(least, most)| f64::max(due - least as f64, most as f64 - due));
        assert!(off.iter().any(|off| *off <= 2.5), "{family}: {counts:?}, not {due:.1} each");
        drop(flood);
    }
}

#[test]
fn tcp_is_delayed_and_hardly_loses_a_packet() {
    require_guest!();
    let lab = with_fq();
    limit(&lab, "pace");
    let flows = DOWN.map(|case| scenario::flow(&lab.router, HOST, case, [2, 8]));
    assert_holds(|| {
        let results = DOWN.iter().zip(scenario::transfers(&flows, LIMIT)?);
        let readings = results.flat_map(|(case, (rate, report))| {
            let rate = |bar| {
                let rate = rate.bits_per_second;
                Reading::new(case.to_string(), rate, LIMIT as f64, "bit/s", bar)
            };
            // A limit that drops costs a fifth of the segments here.
            let sent = report.received_bytes as f64 / TCP_PAYLOAD_BYTES;
            let (again, bar) = (report.retransmits as f64, Bar::AtMost(2.0));
            let again = Reading::new(format!("{case}, sent again"), again, sent, "segments", bar);
            [rate(Bar::AtLeast(97.0)), rate(Bar::AtMost(102.0)), again]
        });
        Ok(readings.collect())
    });
}

#[test]
fn a_link_without_fq_polices_and_is_told_of_until_it_has_it() {
    require_guest!();
    let lab = Lab::new().unwrap();
    assert_eq!(pace_ready(&lab, "lan0"), Value::Null, "no limit paces");
    let set = format!("limit set {} --down 4mbit --action pace", HOST.prefix(Family::V4));
    let words = lab.agent.cli(&set).unwrap().stderr;
    assert!(words.contains("tc qdisc replace dev lan0 root fq"), "{words}");
    assert_eq!(pace_ready(&lab, "lan0"), false);
    assert!(warnings(&lab).contains("tc qdisc replace dev lan0 root fq"), "{}", warnings(&lab));
    assert!(spread(&lab, DOWN[0]) < SPACING * BURST / 2, "policed");
    assert_limited(&lab, &DOWN[..1]);
    assert_eq!(lab.reason("paced").unwrap(), 0);

    let router = lab.router.namespace(End::Router);
    set_qdisc(router, "lan0", "fq").unwrap();
    println!("fq noticed after {:?}", noticed(&lab, "lan0", true));
    assert!(!warnings(&lab).contains("qdisc"), "{}", warnings(&lab));
    let spread = spread(&lab, DOWN[0]);
    assert!(spread > SPACING * BURST * 3 / 4, "a burst of {BURST} arrived within {spread:?}");

    set_qdisc(router, "lan0", "pfifo").unwrap();
    println!("pfifo noticed after {:?}", noticed(&lab, "lan0", false));
}

#[test]
fn a_link_with_fq_under_every_queue_paces() {
    require_guest!();
    let lab = with_many_queues();
    limit(&lab, "pace");
    assert_eq!(pace_ready(&lab, "many0"), true);
    queue(lab.router.namespace(End::Router), 2, "pfifo");
    // Every change of a limit looks at the qdiscs.
    limit(&lab, "pace:20ms");
    assert_eq!(pace_ready(&lab, "many0"), false);
}

#[test]
fn what_waits_longer_than_is_said_is_marked_if_the_sender_takes_part_in_ecn() {
    require_guest!();
    let lab = with_fq();
    limit(&lab, "pace:50ms");
    for case in DOWN {
        let (own, none) =
            (classes(&lab, case, OFFERED, ect0), classes(&lab, case, OFFERED, not_ect));
        println!("{case}: ECT(0) becomes {own:?}, not ECT {none:?}");
        let of = |classes: &[(u8, u64)], wanted: u8| {
            classes.iter().find(|(class, _)| *class == wanted).map_or(0, |(_, packets)| *packets)
        };
        // The first ones of a flood wait less than that, and then all wait longer.
        assert!((10..40).contains(&of(&own, ECT0)), "{case}: {own:?}");
        assert!(of(&own, CE) > 300, "{case}: {own:?}");
        assert!(of(&none, 0) > 300 && of(&none, CE) == 0, "{case}: {none:?}");
        sleep(Duration::from_millis(300));
        let few = classes(&lab, case, LIMIT * 9 / 10, ect0);
        println!("{case}: below the limit {few:?}");
        assert_eq!(of(&few, CE), 0, "{case}: {few:?}");
    }
}

#[test]
fn what_comes_in_by_a_link_is_policed() {
    require_guest!();
    let lab = with_fq();
    let words = limit(&lab, "pace");
    assert!(words.contains("excess of --up that comes in by it is dropped"), "{words}");
    assert_limited(&lab, &UP);
    assert_eq!(lab.reason("paced").unwrap(), 0);
    for case in UP {
        let spread = spread(&lab, case);
        assert!(spread < SPACING * BURST / 2, "{case}: a burst arrived within {spread:?}");
    }
}

const ECT0: u8 = 2;
const CE: u8 = 3;
/// Packets sent at once, fewer than the default burst holds.
const BURST: u32 = 30;

fn with_fq() -> Lab {
    let router = Router::new().unwrap();
    set_qdisc(router.namespace(End::Router), "lan0", "fq").unwrap();
    Lab::with(router, &["--iface", "lan0"]).unwrap()
}

/// A link with an fq of its own on each of two queues.
fn with_many_queues() -> Lab {
    let router = Router::new().unwrap();
    let namespace = router.namespace(End::Router);
    namespace
        .ip("link add many0 numtxqueues 2 numrxqueues 2 type veth peer name many1 \
             numtxqueues 2 numrxqueues 2\nlink set many0 up\nlink set many1 up\n")
        .unwrap();
    namespace.tc("qdisc replace dev many0 root handle 1: mq").unwrap();
    queue(namespace, 1, "fq");
    queue(namespace, 2, "fq");
    Lab::with(router, &["--iface", "many0"]).unwrap()
}

/// Limits the host in every case; returns what the agent says to it.
fn limit(lab: &Lab, action: &str) -> String {
    let rate = rate_argument(LIMIT);
    let set = |family| {
        let prefix = HOST.prefix(family);
        let words = format!("limit set {prefix} --up {rate} --down {rate} --action {action}");
        let outcome = lab.agent.cli(&words).unwrap();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stderr
    };
    Family::ALL.map(set).concat()
}

fn assert_limited(lab: &Lab, cases: &[Case]) {
    let flooded: Vec<_> = cases.iter().map(|&case| (HOST, case)).collect();
    assert_holds(|| {
        let rates = scenario::flood_hosts(&lab.router, &flooded, OFFERED, WINDOW)?;
        let readings = cases.iter().zip(rates).map(|(case, rate)| {
            Reading::new(case.to_string(), rate, LIMIT as f64, "bit/s", Bar::Within(2.0))
        });
        Ok(readings.collect())
    });
}

/// Over which time a burst arrives, the bucket being empty before.
fn spread(lab: &Lab, Case { direction, family }: Case) -> Duration {
    let (from, to) = ends(HOST, End::Server, direction);
    sleep(Duration::from_millis(300));
    let arrivals = Arrivals::bind(&lab.router, to, family).unwrap();
    let address = |end: End| end.address(family);
    let bind = || UdpSocket::bind((address(from), 0));
    let socket = lab.router.namespace(from).run(bind).unwrap().unwrap();
    for _ in 0..BURST {
        let payload = [0; 1500 - 28];
        let length = if family == Family::V4 { payload.len() } else { payload.len() - 20 };
        socket.send_to(&payload[..length], (address(to), arrivals.port())).unwrap();
    }
    sleep(Duration::from_millis(500));
    let times = arrivals.take();
    assert_eq!(times.len(), BURST as usize, "{times:?}");
    times[times.len() - 1]
}

/// The classes of what arrives of a flood of a second.
fn classes(
    lab: &Lab,
    Case { direction, family }: Case,
    offered: u64,
    prepare: throttle_tests::flood::Prepare,
) -> Vec<(u8, u64)> {
    let (from, to) = ends(HOST, End::Server, direction);
    let sink = ClassSink::bind(&lab.router, to, family).unwrap();
    let flood = Flood::new(&lab.router, from, to, family).port(sink.port());
    let flood = flood.rate(offered).prepare(prepare).start().unwrap();
    sleep(Duration::from_millis(1300));
    flood.stop();
    // What waits still arrives.
    sleep(Duration::from_millis(400));
    sink.packets()
}

fn ect0(socket: &UdpSocket) -> nix::Result<()> {
    let class = i32::from(ECT0);
    match socket.local_addr() {
        Ok(address) if address.is_ipv4() => setsockopt(socket, sockopt::Ipv4Tos, &class),
        _ => setsockopt(socket, sockopt::Ipv6TClass, &class),
    }
}

fn not_ect(_: &UdpSocket) -> nix::Result<()> {
    Ok(())
}

/// What `link list` says of a link.
fn pace_ready(lab: &Lab, interface: &str) -> Value {
    let links: Vec<Value> = lab.agent.json("link list").unwrap();
    let link = links.iter().find(|link| link["interface"] == interface);
    link.unwrap_or_else(|| panic!("{links:?}"))["pace_ready"].clone()
}

/// What `status` warns of.
fn warnings(lab: &Lab) -> String {
    let status: Value = lab.agent.json("status").unwrap();
    status["warnings"].to_string()
}

/// Waits until the agent knows that a link can pace, or that it cannot; returns how long that took.
fn noticed(lab: &Lab, interface: &str, is_ready: bool) -> Duration {
    let start = Instant::now();
    while pace_ready(lab, interface) != is_ready {
        assert!(start.elapsed() < NOTICED, "not noticed");
        sleep(Duration::from_millis(100));
    }
    start.elapsed()
}

fn queue(namespace: &Namespace, number: u8, qdisc: &str) {
    let words = format!("qdisc replace dev many0 parent 1:{number} {qdisc}");
    namespace.tc(&words).unwrap();
}
