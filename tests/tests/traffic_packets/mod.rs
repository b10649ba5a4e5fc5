//! Packets of special kinds: each is limited, and counted as the far end receives it on the wire.

mod frames;
mod resolution;
mod segments;

use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use throttle_tests::audit::{self, Audit};
use throttle_tests::bars::assert_holds;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::traffic::{Case, Direction, Family, MBIT};

const LINK: &str = "lan0";
const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
const OFFERED: u64 = 4 * LIMIT;
const WINDOW: Duration = Duration::from_secs(2);
const TOLERANCE: f64 = 2.0;

#[test]
fn every_fragment_of_a_datagram_counts() {
    require_root!();
    let lab = Lab::new().unwrap();
    let fragments = 3;
    assert_floods_hold(
        &lab,
        &Case::ALL,
        |flood| flood.length(4000),
        |audit| {
            let counted = audit.entry.counted;
            let all = counted.passed_packets + counted.excess_packets;
            assert_eq!(all, fragments * audit.offered.packets, "{audit:?}");
        },
    );
}

#[test]
fn jumbo_frames_are_limited() {
    require_root!();
    let lab = Lab::new().unwrap();
    let router = lab.router.namespace(End::Router);
    router.ip("link set dev lan0 mtu 9000\nlink set dev wan0 mtu 9000\n").unwrap();
    for end in [HOST, End::Server] {
        lab.router.namespace(end).ip("link set dev eth0 mtu 9000\n").unwrap();
    }
    assert_floods_hold(&lab, &Case::ALL, |flood| flood.length(9000), assert_all_counted);
}

#[test]
fn packets_with_ipv6_extension_headers_are_limited() {
    require_root!();
    let lab = Lab::new().unwrap();
    assert_floods_hold(
        &lab,
        &V6,
        |flood| flood.length(1000).prepare(extend),
        |audit| {
            let counted = audit.entry.counted;
            let packets = counted.passed_packets + counted.excess_packets;
            assert_eq!(packets, audit.offered.packets, "{audit:?}");
            let bytes = counted.passed_bytes + counted.excess_bytes;
            assert_eq!(bytes, packets * (1000 + EXTENSIONS_BYTES), "{audit:?}");
        },
    );
}

const V6: [Case; 2] = [
    Case { direction: Direction::Up, family: Family::V6 },
    Case { direction: Direction::Down, family: Family::V6 },
];

/// Bytes of the extension headers that [`extend`] adds.
const EXTENSIONS_BYTES: u64 = 8 + 16;

/// Adds hop-by-hop options of 8 bytes and destination options of 16.
fn extend(socket: &UdpSocket) -> nix::Result<()> {
    // Next header and length, both the kernel's to fill or keep, and one padding option.
    set_ipv6(socket, libc::IPV6_HOPOPTS, &[0, 0, 1, 4, 0, 0, 0, 0])?;
    set_ipv6(socket, libc::IPV6_DSTOPTS, &[0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn set_ipv6(socket: &UdpSocket, option: libc::c_int, value: &[u8]) -> nix::Result<()> {
    let (fd, length) = (socket.as_raw_fd(), value.len() as u32);
    // SAFETY: the value outlives the call and has the length that is given.
    let done =
        unsafe { libc::setsockopt(fd, libc::IPPROTO_IPV6, option, value.as_ptr().cast(), length) };
    nix::errno::Errno::result(done).map(drop)
}

/// Floods at [`OFFERED`] are held to [`LIMIT`], and what is counted has arrived.
fn assert_floods_hold<'a>(
    lab: &'a Lab,
    cases: &[Case],
    adjust: impl Fn(Flood<'a>) -> Flood<'a>,
    check: impl Fn(&Audit),
) {
    assert_floods_hold_with(End::Server, lab, cases, adjust, check);
}

fn assert_floods_hold_with<'a>(
    peer: End,
    lab: &'a Lab,
    cases: &[Case],
    adjust: impl Fn(Flood<'a>) -> Flood<'a>,
    check: impl Fn(&Audit),
) {
    lab.limit_both(|family| HOST.prefix(family), "each", LIMIT).unwrap();
    assert_holds(|| {
        let flood = |flood| adjust(flood).rate(OFFERED);
        let audits = audit::floods(lab, (HOST, peer), cases, WINDOW, flood)?;
        for audit in &audits {
            audit.entry.assert_agrees();
            check(audit);
        }
        Ok(audits.iter().map(|audit| audit.reading(LIMIT, TOLERANCE)).collect())
    });
}

fn assert_all_counted(audit: &Audit) {
    let (counted, offered) = (audit.entry.counted, audit.offered);
    assert_eq!(counted.passed_packets + counted.excess_packets, offered.packets, "{audit:?}");
    assert_eq!(counted.passed_bytes + counted.excess_bytes, offered.bytes, "{audit:?}");
}
