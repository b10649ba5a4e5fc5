//! Frames of which the kernel finds only the first bytes in the linear part of their buffers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use throttle_tests::audit::{self, Books};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::measure::Meter;
use throttle_tests::offload::{self, Offload};
use throttle_tests::packets::Frame;
use throttle_tests::require_root;
use throttle_tests::ring::Ring;
use throttle_tests::router::{End, Router};
use throttle_tests::scenario::SETTLED;
use throttle_tests::sink::DISCARD_PORT;
use throttle_tests::tap::Tap;
use throttle_tests::traffic::{Case, Direction, Family, Transport};

use super::{HOST, LIMIT, LINK, OFFERED, TOLERANCE, WINDOW};

#[test]
fn frames_that_lie_in_fragments_are_limited_at_ingress() {
    require_root!();
    let tapped = Tapped::new();
    for merging in [false, true] {
        let router = tapped.lab.router.namespace(End::Router);
        offload::set(router, Tapped::LINK, Offload::Gro, merging).unwrap();
        for family in Family::ALL {
            assert_holds(|| tapped.flood_up(family));
        }
    }
}

#[test]
fn frames_to_a_tap_are_counted_as_they_are_read() {
    require_root!();
    let tapped = Tapped::new();
    for family in Family::ALL {
        assert_holds(|| tapped.flood_down(family));
    }
}

#[test]
fn frames_that_lie_in_fragments_are_limited_at_egress() {
    require_root!();
    let lab = Lab::new().unwrap();
    let namespace = lab.router.namespace(End::Router);
    let mut ring = Ring::new(namespace, LINK).unwrap();
    for case in Case::of(Direction::Down) {
        let frame = udp_frame(End::Router, HOST, case.family, [2, 0x77, 0, 0, 0, 2]);
        assert_holds(|| {
            lab.limit(HOST, case.family, case.direction, LIMIT)?;
            let books = Books::open(&lab, (HOST, End::Router), case, Transport::Udp)?;
            let meter = Meter::new(lab.router.namespace(HOST), case.family, Transport::Udp)?;
            let (rate, sent) = paced(&meter, |_| ring.send(&frame))?;
            let entry = books.close(&lab)?;
            entry.assert_agrees();
            let counted = entry.counted;
            assert_eq!(counted.passed_packets + counted.excess_packets, sent, "{entry}");
            let what = format!("ring {case}");
            Ok(vec![Reading::new(what, rate, LIMIT as f64, "bit/s", Bar::Within(TOLERANCE))])
        });
    }
}

/// A UDP packet of 1500 bytes in a frame for the station `to`.
fn udp_frame(source: End, destination: End, family: Family, to: [u8; 6]) -> Vec<u8> {
    let [source, destination] = [source, destination].map(|end| end.address(family).to_string());
    let mut frame = Frame::udp(&source, &destination).layer3_bytes(1500).bytes();
    frame[..6].copy_from_slice(&to);
    let udp = 14 + family.header_bytes() as usize;
    frame[udp..udp + 2].copy_from_slice(&DISCARD_PORT.to_be_bytes());
    frame[udp + 2..udp + 4].copy_from_slice(&DISCARD_PORT.to_be_bytes());
    frame
}

/// Calls `send` with a running number, at [`OFFERED`] bits per second in packets of 1500 bytes, until
/// [`WINDOW`] is over; returns the rate that `meter` found in it and how often it was called.
fn paced(meter: &Meter, mut send: impl FnMut(u64) -> Result<()>) -> Result<(f64, u64)> {
    let per_second = OFFERED as f64 / (1500.0 * 8.0);
    let (start, mut sent, mut first) = (Instant::now(), 0, None);
    loop {
        let elapsed = start.elapsed();
        if elapsed >= SETTLED && first.is_none() {
            first = Some(meter.sample()?);
        }
        if elapsed >= SETTLED + WINDOW {
            break;
        }
        while (sent as f64) < elapsed.as_secs_f64() * per_second {
            send(sent)?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let first = first.context("it has settled")?;
    Ok((meter.sample()?.rate_since(&first).bits_per_second, sent))
}

/// A lab whose host is behind a tap device.
struct Tapped {
    lab: Lab,
    tap: Tap,
}

impl Tapped {
    const LINK: &str = "tap0";
    const HOST: End = End::Host { lan: 9, number: 0 };
    /// The router's address of the device, as a station.
    const STATION: [u8; 6] = [2, 0x77, 0, 0, 9, 1];

    fn new() -> Self {
        let router = Router::new().unwrap();
        let namespace = router.namespace(End::Router);
        let tap = Tap::new(namespace, Self::LINK).unwrap();
        let [v4, v6] = Family::ALL.map(|family| Self::HOST.address(family));
        let script = format!(
            "link set dev tap0 address 02:77:00:00:09:01 up
             addr add 10.77.9.1/24 dev tap0
             addr add fd00:77:9:1::1/64 dev tap0 nodad
             route add fd00:77:9::/48 dev tap0
             neigh replace {v4} lladdr 02:77:00:00:09:02 dev tap0 nud permanent
             neigh replace {v6} lladdr 02:77:00:00:09:02 dev tap0 nud permanent\n"
        );
        namespace.ip(&script).unwrap();
        let lab = Lab::with(router, &["--iface", Self::LINK]).unwrap();
        lab.limit_both(|family| Self::HOST.prefix(family), "each", LIMIT).unwrap();
        Self { lab, tap }
    }

    /// The host sends frames of which more or fewer bytes are linear.
    fn flood_up(&self, family: Family) -> Result<Vec<Reading>> {
        let (lab, case) = (&self.lab, Case { direction: Direction::Up, family });
        let frame = udp_frame(Self::HOST, End::Server, family, Self::STATION);
        let linear = [14, 15, 20, 33, 34, 53, 54, 62, frame.len()];
        let books = Books::open(lab, (Self::HOST, End::Server), case, Transport::Udp)?;
        let meter = Meter::new(lab.router.namespace(End::Server), family, Transport::Udp)?;
        let (rate, sent) =
            paced(&meter, |number| self.tap.send(&frame, linear[number as usize % linear.len()]))?;
        let entry = books.close(lab)?;
        entry.assert_agrees();
        let counted = entry.counted;
        assert_eq!(counted.passed_packets + counted.excess_packets, sent, "{entry}");
        let what = format!("tap {case}");
        Ok(vec![Reading::new(what, rate, LIMIT as f64, "bit/s", Bar::Within(TOLERANCE))])
    }

    /// The server sends to the host, which counts what it reads.
    fn flood_down(&self, family: Family) -> Result<Vec<Reading>> {
        let down =
            || audit::counters(&self.lab, Self::HOST, Case { direction: Direction::Down, family });
        let before = down()?;
        let flood = Flood::new(&self.lab.router, End::Server, Self::HOST, family);
        let flood = flood.rate(OFFERED).start()?;
        let mut buffer = vec![0; 65_536];
        let (start, mut packets, mut bytes, mut first) = (Instant::now(), 0_u64, 0_u64, None);
        let mut running = Some(flood);
        let mut rate = 0.0;
        loop {
            if start.elapsed() >= SETTLED && first.is_none() {
                first = Some((Instant::now(), bytes));
            }
            if start.elapsed() >= SETTLED + WINDOW && running.take().is_some() {
                let (at, before) = first.context("it has settled")?;
                rate = (bytes - before) as f64 * 8.0 / at.elapsed().as_secs_f64();
            }
            match self.tap.receive(&mut buffer, 50)? {
                // Whatever else the kernel sends is shorter.
                Some(length) if length > 1000 => {
                    packets += 1;
                    bytes += length as u64 - 14;
                }
                Some(_) => {}
                None if running.is_none() => break,
                None => {}
            }
        }
        let after = down()?;
        let passed = (
            after.passed_packets - before.passed_packets,
            after.passed_bytes - before.passed_bytes,
        );
        assert_eq!(passed, (packets, bytes), "counted and read");
        assert!(after.excess_packets - before.excess_packets > packets, "{before:?}, {after:?}");
        let what = format!("tap down {family}");
        Ok(vec![Reading::new(what, rate, LIMIT as f64, "bit/s", Bar::Within(TOLERANCE))])
    }
}
