//! What happens to excess beside being dropped, and what is exempt.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt};
use throttle_tests::audit::{self, Audit, Books};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::bpf::NEXT;
use throttle_tests::classes::ClassSink;
use throttle_tests::flood::{Flood, Offered};
use throttle_tests::foreign::{Foreign, HOOKS, Place, Program, Seen};
use throttle_tests::lab::Lab;
use throttle_tests::measure::Rate;
use throttle_tests::require_root;
use throttle_tests::router::{End, lan_prefix};
use throttle_tests::scenario::{each_flood, ends};
use throttle_tests::traffic::{Case, Direction, Family, Transport};

use super::{
    HOST, LIMIT, LINK, OFFERED, TOLERANCE, WINDOW, allowed, every_case, flood_each, limit_host,
    name, within,
};

#[test]
fn observing_refuses_nothing_and_counts_excess() {
    require_root!();
    let lab = Lab::new().unwrap();
    limit_host(&lab, "--action observe");
    assert_holds(|| {
        let audits = flood_host(&lab)?;
        Ok(audits.iter().map(all_arrived).collect())
    });
    assert!(lab.reason("observed").unwrap() > 0);
}

#[test]
fn marking_marks_excess_alone() {
    require_root!();
    let lab = Lab::new().unwrap();
    limit_host(&lab, "--action mark:0x17");
    let namespace = lab.router.namespace(End::Router);
    let program = Program { mark: 0x17, ..Program::answering(NEXT) };
    assert_holds(|| {
        let after = HOOKS
            .map(|hook| Foreign::attach(namespace, LINK, hook, Place::TcxLast, program).unwrap());
        let audits = flood_host(&lab)?;
        for (after, direction) in after.iter().zip(Direction::ALL) {
            let audits = audits.iter().filter(|audit| audit.entry.case.direction == direction);
            let (mut offered, mut excess) = (Seen::default(), Seen::default());
            for Audit { offered: sent, entry, .. } in audits {
                offered.packets += sent.packets;
                offered.bytes += sent.bytes;
                excess.packets += entry.counted.excess_packets;
                excess.bytes += entry.counted.excess_bytes;
            }
            assert_eq!(after.seen()?, offered, "{direction}: all goes on");
            assert_eq!(after.marked()?, excess, "{direction}: excess is marked, and nothing else");
        }
        Ok(audits.iter().map(all_arrived).collect())
    });
    assert!(lab.reason("skb_marked").unwrap() > 0);
}

#[test]
fn excess_gets_another_class_and_keeps_its_ecn_field() {
    require_root!();
    let lab = Lab::new().unwrap();
    limit_host(&lab, "--action dscp:af11");
    for case in Case::ALL {
        assert_holds(|| {
            let (from, to) = ends(HOST, End::Server, case.direction);
            let books = Books::open(&lab, (HOST, End::Server), case, Transport::Udp)?;
            let sink = ClassSink::bind(&lab.router, to, case.family)?;
            let flood = Flood::new(&lab.router, from, to, case.family).port(sink.port());
            let flood = flood.rate(OFFERED).prepare(classify).start()?;
            std::thread::sleep(Duration::from_millis(700));
            let offered = flood.stop();
            let entry = books.close(&lab)?;
            let classes = sink.packets();
            let of = |wanted| classes.iter().find(|(class, _)| *class == wanted);
            let of = |wanted| of(wanted).map_or(0, |(_, packets)| *packets);
            // A wrong checksum would have been dropped on the way.
            let conforming = offered.packets - entry.counted.excess_packets;
            assert_eq!(of(CS1_ECT0), conforming, "{case}: {classes:?}, {entry}");
            assert_eq!(of(AF11_ECT0), entry.counted.excess_packets, "{case}: {classes:?}, {entry}");
            assert_eq!(classes.len(), 2, "{case}: {classes:?}");
            assert_eq!(entry.arrived_bytes, offered.bytes, "{entry}");
            Ok(vec![excess(entry.counted.excess_bytes, &offered, case)])
        });
    }
    assert!(lab.reason("dscp_marked").unwrap() > 0);
}

#[test]
fn a_prefix_that_passes_is_exempt_from_every_level() {
    require_root!();
    let lab = Lab::new().unwrap();
    let exempt = End::host(1);
    lab.limit_both(|family| lan_prefix(0, family), "each", LIMIT).unwrap();
    for family in Family::ALL {
        lab.limit_set(&format!("{} --action pass", exempt.prefix(family))).unwrap();
    }
    // As much as the host that is limited needs.
    lab.agent.done("link set lan0 --down 21mbit --up 21mbit").unwrap();
    let flows = every_case(&[HOST, exempt]);
    assert_holds(|| {
        let rates = flood_each(&lab, &flows, OFFERED)?;
        let expected = |host| if host == exempt { OFFERED } else { LIMIT };
        let each = flows.iter().zip(rates);
        Ok(each.map(|(flow, rate)| within(&name(flow), rate, expected(flow.0))).collect())
    });
    assert!(lab.reason("exempt_prefix").unwrap() > 0);
}

#[test]
fn a_peer_that_passes_is_exempt_and_no_other() {
    require_root!();
    let lab = Lab::new().unwrap();
    limit_host(&lab, "");
    let peers = Family::ALL.map(|family| match family {
        Family::V4 => "10.78.0.0/24",
        Family::V6 => "fd00:78::/64",
    });
    for peer in peers {
        lab.limit_set(&format!("{peer} --match peer --action pass")).unwrap();
    }
    let flow = |(peer, Case { direction, family }): (End, Case)| {
        let (from, to) = ends(HOST, peer, direction);
        Flood::new(&lab.router, from, to, family).rate(OFFERED)
    };
    let flows = [End::Server, End::Router].map(|peer| every_case(&[peer])).concat();
    assert_holds(|| {
        let rates = each_flood(&lab.router, flows.iter().copied().map(flow).collect(), WINDOW)?;
        let expected = |peer| if peer == End::Server { OFFERED } else { LIMIT };
        let reading = |(flow, rate): (&(End, Case), Rate)| {
            within(&name(flow), rate.bits_per_second, expected(flow.0))
        };
        Ok(flows.iter().zip(rates).map(reading).collect())
    });
    assert!(lab.reason("exempt_peer").unwrap() > 0);
}

/// Class selector 1 and AF11, each with ECT(0).
const CS1_ECT0: u8 = 8 << 2 | 2;
const AF11_ECT0: u8 = 10 << 2 | 2;

fn classify(socket: &UdpSocket) -> nix::Result<()> {
    let class = i32::from(CS1_ECT0);
    match socket.local_addr() {
        Ok(address) if address.is_ipv4() => setsockopt(socket, sockopt::Ipv4Tos, &class),
        _ => setsockopt(socket, sockopt::Ipv6TClass, &class),
    }
}

/// Floods [`HOST`] in every case.
fn flood_host(lab: &Lab) -> Result<Vec<Audit>> {
    audit::floods(lab, (HOST, End::Server), &Case::ALL, Duration::ZERO, |flood| flood.rate(OFFERED))
}

/// Everything has arrived; holds what was counted as excess against what the limit has no room for.
fn all_arrived(audit: &Audit) -> Reading {
    let Audit { entry, offered, .. } = audit;
    assert_eq!(entry.arrived_packets, offered.packets, "{entry}");
    assert_eq!(entry.arrived_bytes, offered.bytes, "{entry}");
    excess(entry.counted.excess_bytes, offered, entry.case)
}

fn excess(counted_bytes: u64, offered: &Offered, case: Case) -> Reading {
    let expected = offered.bytes as f64 - allowed(LIMIT, offered);
    let what = format!("excess {case}");
    Reading::new(what, counted_bytes as f64, expected, "byte", Bar::Within(TOLERANCE))
}
