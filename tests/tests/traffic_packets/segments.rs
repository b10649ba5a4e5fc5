//! Buffers of several segments: the hook sees one buffer, the wire many packets.

use std::io::{self, Read as _, Seek as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;
use throttle_tests::audit::{Audit, Books};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::bpf::NEXT;
use throttle_tests::foreign::{Foreign, HOOKS, Place, Program, Seen};
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::netns::unique_name;
use throttle_tests::offload::{self, Offload};
use throttle_tests::promise;
use throttle_tests::require_root;
use throttle_tests::restrict::skip;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::{SETTLED, rate_held_to};
use throttle_tests::traffic::{Case, Direction, Family, MBIT, Transport};

use super::{
    HOST, LINK, TOLERANCE, V6, assert_all_counted, assert_floods_hold, assert_floods_hold_with,
    extend,
};

/// Fast enough that TCP sends large buffers.
const TCP_LIMIT: u64 = 200 * MBIT;
const TCP_SECONDS: u32 = 5;

#[test]
fn udp_segments_are_counted_as_on_the_wire() {
    require_root!();
    let lab = segmenting_lab();
    let buffers = Buffers::attach(&lab);
    assert_floods_hold(&lab, &Case::ALL, |flood| flood.length(1500).gso(8), assert_all_counted);
    for (buffers, direction) in buffers.0.iter().zip(Direction::ALL) {
        assert_merged(buffers.seen().unwrap(), direction);
    }
}

/// Sent by the router itself: such buffers are cut before they leave a machine.
#[test]
fn udp_segments_with_extension_headers_are_counted_as_on_the_wire() {
    require_root!();
    let lab = Lab::new().unwrap();
    let buffers = Buffers::attach(&lab);
    let [_, down] = V6;
    let (router, cases) = (End::Router, [down]);
    let check = |audit: &Audit| {
        let counted = audit.entry.counted;
        assert_eq!(
            counted.passed_packets + counted.excess_packets,
            audit.offered.packets,
            "{audit:?}"
        );
    };
    assert_floods_hold_with(
        router,
        &lab,
        &cases,
        |flood| flood.length(1000).gso(8).prepare(extend),
        check,
    );
    assert_merged(buffers.0[down.direction as usize].seen().unwrap(), down.direction);
}

#[test]
fn tcp_segments_are_counted_as_on_the_wire() {
    require_root!();
    let lab = segmenting_lab();
    for direction in Direction::ALL {
        assert_tcp_agrees(&lab, direction);
    }
}

#[test]
fn merged_packets_are_counted_as_on_the_wire() {
    require_root!();
    let lab = segmenting_lab();
    for end in [HOST, End::Server] {
        offload::set(lab.router.namespace(end), "eth0", Offload::Tso, false).unwrap();
    }
    for link in [LINK, "wan0"] {
        offload::set(lab.router.namespace(End::Router), link, Offload::Gro, true).unwrap();
    }
    for direction in Direction::ALL {
        assert_tcp_agrees(&lab, direction);
    }
}

/// Between the host and the router itself: Linux does not forward such buffers of IPv6.
#[test]
fn buffers_beyond_64_kib_are_counted_as_on_the_wire() {
    require_root!();
    let lab = Lab::new().unwrap();
    for (end, interface) in [(HOST, "eth0"), (End::Router, LINK)] {
        let namespace = lab.router.namespace(end);
        if let Err(error) = offload::set_largest_buffers(namespace, interface, 185_000) {
            skip(&format!("the kernel has no BIG TCP of both IP versions: {error:#}"));
            return;
        }
    }
    // The router counts what else comes to it: announcements of links that have come up.
    std::thread::sleep(SETTLED);
    for case in Case::ALL {
        // Beyond the longest IPv6 packet there is a hop-by-hop header, which is not on the wire.
        let (network_bytes, unsent_bytes) = match case.family {
            Family::V4 => (0, 0),
            Family::V6 => (40, 8),
        };
        let least_bytes = 14 + network_bytes + 65_536;
        let program = Program { least_bytes, ..Program::answering(NEXT) };
        let large = Buffers::attach_at(&lab, Place::TcxLast, program);
        let large = &large.0[case.direction as usize];
        assert_holds(|| {
            let earlier = large.seen()?.packets;
            let books = Books::open(&lab, (HOST, End::Router), case, Transport::Tcp)?;
            let readings = promise::tcp(&lab, End::Router, &[case], 5 * TCP_LIMIT, TCP_SECONDS)?;
            let mut entry = books.close(&lab)?;
            let large = large.seen()?.packets - earlier;
            println!("{entry}, {large} buffers larger than 64 KiB");
            assert!(large > 0, "no buffer was larger than 64 KiB");
            entry.arrived_bytes -= unsent_bytes * large;
            entry.assert_agrees();
            Ok(layer_3(readings, Bar::AtMost(101.0)))
        });
    }
}

#[test]
fn tcp_from_a_file_is_counted_as_on_the_wire() {
    require_root!();
    let lab = segmenting_lab();
    for case in Case::of(Direction::Down) {
        assert_holds(|| {
            lab.limit(HOST, case.family, case.direction, TCP_LIMIT)?;
            let books = Books::open(&lab, (HOST, End::Server), case, Transport::Tcp)?;
            let rate = send_file(&lab.router, End::Server, HOST, case.family, TCP_LIMIT)?;
            let entry = books.close(&lab)?;
            entry.assert_agrees();
            assert!(entry.counted.excess_packets > 0, "{entry}");
            let what = format!("sendfile {case}");
            Ok(vec![Reading::new(what, rate, TCP_LIMIT as f64, "bit/s", Bar::AtMost(101.0))])
        });
    }
}

/// A lab that hands single packets to both far ends, whatever passed the hooks.
fn segmenting_lab() -> Lab {
    let lab = Lab::new().unwrap();
    for link in [LINK, "wan0"] {
        offload::segment_before_sending(lab.router.namespace(End::Router), link).unwrap();
    }
    for end in [HOST, End::Server] {
        // The queue between two namespaces holds 1000 packets: two flows must fit, or it drops some.
        lab.router.namespace(end).sysctl("ipv4/tcp_rmem", "4096 131072 600000").unwrap();
    }
    lab
}

/// Counts the buffers that come to the hooks.
struct Buffers([Foreign; 2]);

impl Buffers {
    fn attach(lab: &Lab) -> Self {
        Self::attach_at(lab, Place::TcxFirst, Program::answering(NEXT))
    }

    fn attach_at(lab: &Lab, place: Place, program: Program) -> Self {
        let namespace = lab.router.namespace(End::Router);
        Self(HOOKS.map(|hook| Foreign::attach(namespace, LINK, hook, place, program).unwrap()))
    }
}

/// Buffers of several segments came to the hook, so that the agent had to count those.
fn assert_merged(seen: Seen, direction: Direction) {
    assert!(seen.packets > 0 && seen.bytes > 3000 * seen.packets, "{direction}: {seen:?}");
}

/// The readings of layer 3, each with `bar`. Goodput over so short a time tells the bursts at its ends.
fn layer_3(readings: Vec<Reading>, bar: Bar) -> Vec<Reading> {
    let of_layer_3 = readings.into_iter().filter(|reading| reading.what.contains("layer 3"));
    let readings: Vec<_> = of_layer_3.map(|reading| Reading { bar, ..reading }).collect();
    assert!(!readings.is_empty(), "nothing is read at layer 3");
    readings
}

/// TCP with the server reaches the host's limit in one direction; data and acknowledgements are counted
/// as they arrive, though the hook sees large buffers.
fn assert_tcp_agrees(lab: &Lab, direction: Direction) {
    let buffers = Buffers::attach(lab);
    assert_holds(|| {
        let open = |case| Books::open(lab, (HOST, End::Server), case, Transport::Tcp);
        let books = Case::of(direction).map(|case| open(case).unwrap());
        let readings =
            promise::tcp(lab, End::Server, &Case::of(direction), TCP_LIMIT, TCP_SECONDS)?;
        for entry in books.map(|books| books.close(lab).unwrap()) {
            println!("{entry}");
            entry.assert_agrees();
        }
        Ok(layer_3(readings, Bar::Within(TOLERANCE)))
    });
    assert_merged(buffers.0[direction as usize].seen().unwrap(), direction);
}

/// Sends a file by sendfile(2) for [`TCP_SECONDS`]; returns the layer-3 rate at the receiver.
fn send_file(
    router: &Router,
    from: End,
    to: End,
    family: Family,
    bits_per_second: u64,
) -> Result<f64> {
    let listening = SocketAddr::new(to.address(family), 0);
    let listener = router.namespace(to).run(|| TcpListener::bind(listening))??;
    let address = listener.local_addr()?;
    let end = Instant::now() + Duration::from_secs(TCP_SECONDS.into());
    let meter = Meter::new(router.namespace(to), family, Transport::Tcp)?;
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Result<()> {
            let mut buffer = vec![0; 1 << 20];
            let mut stream = listener.accept()?.0;
            while stream.read(&mut buffer)? > 0 {}
            Ok(())
        });
        let sending = scope.spawn(move || -> Result<()> {
            let path = std::env::temp_dir().join(unique_name());
            let mut file =
                std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            file.set_len(4 << 20)?;
            let mut stream = router.namespace(from).run(|| TcpStream::connect(address))??;
            while Instant::now() < end {
                file.rewind()?;
                // Between a file and a socket the standard library uses sendfile(2).
                io::copy(&mut file, &mut stream)?;
            }
            Ok(())
        });
        let edge = Duration::from_secs(1);
        let length = Duration::from_secs(TCP_SECONDS.into());
        let rate = rate_held_to(&meter, bits_per_second, edge, length)?;
        sending.join().expect("the sender does not panic")?;
        receiving.join().expect("the receiver does not panic")?;
        Ok(rate.bits_per_second)
    })
}
