//! The harness measures truthfully: without a limit, all that is sent is counted on arrival.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use throttle_tests::accuracy::refused::RefusedPackets;
use throttle_tests::accuracy::stream::{RunningStreams, Stream};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::bpf::NEXT;
use throttle_tests::classes::ClassSink;
use throttle_tests::flood::{Flood, Prepare};
use throttle_tests::foreign::{Foreign, HOOKS, Place, Program, Seen};
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::measure::Meter;
use throttle_tests::offload;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario;
use throttle_tests::sink::CountingSink;
use throttle_tests::tcp::Flow;
use throttle_tests::traffic::{Case, Direction, Family, MBIT, Transport};

const SHORT: Duration = Duration::from_millis(500);

#[test]
fn a_flood_arrives_at_the_rate_it_is_sent() {
    require_root!();
    let router = Router::new().unwrap();
    for (family, direction) in Family::ALL.into_iter().zip(Direction::ALL) {
        let (from, to) = scenario::ends(End::host(1), End::Server, direction);
        for segments in [1, 8] {
            assert_holds(|| {
                let flood = Flood::new(&router, from, to, family).rate(80 * MBIT).gso(segments);
                let rate = scenario::floods(&router, vec![vec![flood]], SHORT)?[0].rate;
                let what = format!("{family} {direction}, {segments} segments");
                let (measured, sent) = (rate.bits_per_second, (80 * MBIT) as f64);
                Ok(vec![Reading::new(what, measured, sent, "bit/s", Bar::Within(2.0))])
            });
        }
    }
}

#[test]
fn the_wire_bytes_of_tcp_are_its_goodput_plus_headers() {
    require_root!();
    let router = Router::new().unwrap();
    for (host, peer) in [(End::host(0), End::Server), (End::host(2), End::Router)] {
        for Case { direction, family } in Case::ALL {
            let (from, to) = scenario::ends(host, peer, direction);
            assert_holds(|| {
                // At full speed much is still on its way when iperf3 has counted.
                let bits_per_second = Some(400 * MBIT);
                let (skipped_seconds, seconds) = (0, 1);
                let flow = Flow {
                    router: &router,
                    from,
                    to,
                    family,
                    skipped_seconds,
                    seconds,
                    bits_per_second,
                };
                let running = flow.start()?;
                let meter = Meter::new(router.namespace(to), family, Transport::Tcp)?;
                let before = meter.sample()?;
                let payload = running.finish()?.received_bytes as f64;
                let wire = (meter.sample()?.bytes - before.bytes) as f64;
                let headers = 1500.0 / (1468 - family.header_bytes()) as f64;
                let what = format!("{family} {from:?} -> {to:?}");
                Ok(vec![Reading::new(what, wire, payload * headers, "byte", Bar::Within(1.0))])
            });
        }
    }
}

#[test]
fn a_counting_sink_counts_its_own_port_only() {
    require_root!();
    let router = Router::new().unwrap();
    let to = End::host(1);
    let sink = CountingSink::bind(&router, to, Family::V6).unwrap();
    let other = Flood::new(&router, End::Server, to, Family::V6).rate(MBIT).start().unwrap();
    std::thread::sleep(SHORT);
    drop(other);
    assert_eq!(sink.sample().packets, 0);
    let counted =
        Flood::new(&router, End::Server, to, Family::V6).port(sink.port()).length(148).rate(MBIT);
    let running = counted.start().unwrap();
    std::thread::sleep(SHORT);
    drop(running);
    std::thread::sleep(SHORT);
    let sample = sink.sample();
    assert!(sample.packets > 0);
    assert_eq!(sample.bytes, sample.packets * 148);
}

#[test]
fn every_packet_of_a_stream_is_refused_by_who_does_not_read_but_for_the_first() {
    const MOST_IN_THE_QUEUE: u64 = 8;
    require_root!();
    let router = Router::new().unwrap();
    let (from, to) = (End::host(0), End::Server);
    offload::segment_before_sending(router.namespace(from), "eth0").unwrap();
    for (family, packet_bytes) in [(Family::V4, 64), (Family::V6, 1500)] {
        let refused = RefusedPackets::bind(&router, to, family).unwrap();
        let (way, port) = ([from, to], refused.port().unwrap());
        let stream = |flows| Stream::new(&router, way, (family, port), packet_bytes, flows, 20e3);
        let (first, second) = (stream(16).unwrap(), stream(1).unwrap());
        let total = first.total();
        let second = second.counted_with(&first);
        let running = RunningStreams::start([vec![first], vec![second]]);
        std::thread::sleep(SHORT);
        running.stop().unwrap();
        std::thread::sleep(SHORT);
        let (sent, refused) = (total.load(Relaxed), u64::from(refused.count().unwrap()));
        let expected = sent.saturating_sub(MOST_IN_THE_QUEUE)..sent;
        assert!(sent > 1000 && expected.contains(&refused), "{family}: {refused} of {sent}");
    }
}

#[test]
fn a_class_sink_tells_classes_apart() {
    require_root!();
    let router = Router::new().unwrap();
    let classify: [(Family, Prepare); 2] = [
        (Family::V4, |socket| setsockopt(socket, sockopt::Ipv4Tos, &0x22)),
        (Family::V6, |socket| setsockopt(socket, sockopt::Ipv6TClass, &0x22)),
    ];
    for (family, prepare) in classify {
        let sink = ClassSink::bind(&router, End::Server, family).unwrap();
        let flood = || Flood::new(&router, End::host(0), End::Server, family).port(sink.port());
        let plain = flood().rate(2 * MBIT).start().unwrap();
        let classed = flood().rate(5 * MBIT).prepare(prepare).start().unwrap();
        std::thread::sleep(SHORT);
        let (plain, classed) = (plain.stop().packets, classed.stop().packets);
        std::thread::sleep(SHORT);
        assert_eq!(sink.packets(), [(0, plain), (0x22, classed)], "{family}");
    }
}

#[test]
fn a_foreign_program_counts_marked_packets_apart() {
    require_root!();
    let router = Router::new().unwrap();
    let namespace = router.namespace(End::Router);
    let program = Program { mark: 0x17, ..Program::answering(NEXT) };
    let [_, egress] = HOOKS;
    let foreign = Foreign::attach(namespace, "lan0", egress, Place::TcxLast, program).unwrap();
    let flood = || Flood::new(&router, End::Router, End::host(0), Family::V4).rate(2 * MBIT);
    let plain = flood().start().unwrap();
    let marked =
        flood().prepare(|socket| setsockopt(socket, sockopt::Mark, &0x17)).start().unwrap();
    std::thread::sleep(SHORT);
    let (plain, marked) = (plain.stop(), marked.stop());
    assert_eq!(foreign.marked().unwrap(), Seen::from(marked));
    let all = Seen { packets: plain.packets + marked.packets, bytes: plain.bytes + marked.bytes };
    assert_eq!(foreign.seen().unwrap(), all);
}

#[test]
fn a_ledger_tells_a_moment_without_limit_a_fresh_burst_and_silence() {
    require_root!();
    let lab = Lab::new().unwrap();
    let host = End::host(0);
    let limit = |words: &str| {
        let prefix = host.prefix(Family::V4);
        lab.limit_set(&format!("{prefix} --down {words}")).unwrap();
    };
    limit("5mbit");
    let mut ledger = Ledger::open(&lab.router, host, 5 * MBIT).unwrap();
    let mut holds_after = |change: &dyn Fn()| {
        ledger.skip().unwrap();
        change();
        std::thread::sleep(SHORT);
        catch_unwind(AssertUnwindSafe(|| ledger.assert_held(&"it is told").unwrap())).is_ok()
    };
    assert!(holds_after(&|| ()));
    let lift_for_a_moment = || {
        limit("1gbit");
        std::thread::sleep(SHORT / 5);
        limit("5mbit");
    };
    assert!(!holds_after(&lift_for_a_moment));
    // A quarter of a second at the limit.
    assert!(!holds_after(&|| limit("5mbit --one-time-burst 152kb")));
    assert!(!holds_after(&|| limit("500kbit")));
}
