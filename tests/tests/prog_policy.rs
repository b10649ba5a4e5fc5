//! Whole policies: each packet sees one or the other, and what stays the same keeps its state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use throttle_agent::datapath::{Applied, Options, Tally};
use throttle_agent::policy::{Group, Limit, LinkLimit, Policy};
use throttle_common::abi::{Direction, Hook, Side};
use throttle_common::verdict::Reason;
use throttle_tests::packets::Frame;
use throttle_tests::prog::{
    Fate, LINK, Moves, Program, limits, repeat, sound, with_options, with_program,
};
use throttle_tests::require_root;

const HOST: &str = "10.0.0.1";
const PEER: &str = "192.0.2.7";

fn up(host: &str) -> Vec<u8> {
    Frame::udp(host, PEER).bytes()
}

fn policy(limits: Vec<Limit>, groups: Vec<Group>, link: LinkLimit) -> Policy {
    Policy { limits, groups, links: BTreeMap::from([(LINK.to_owned(), link)]) }
}

/// A policy of limits alone.
fn of_limits(limits: Vec<Limit>) -> Policy {
    Policy { limits, ..Policy::default() }
}

/// Many prefixes that hold no packet of the test.
fn filler(second: u8) -> impl Iterator<Item = Limit> {
    let prefix = move |third| format!("172.{second}.{third}.0/24");
    (0..200).map(move |third| limits::each(&prefix(third), limits::bytes(1)))
}

#[test]
fn every_packet_sees_one_policy_whole_while_two_alternate() {
    require_root!();
    const APPLIED: u64 = 6;
    let options = Options { max_limits: 512, ..Program::options() };
    with_options(Side::Far, options, |program| {
        // One policy holds the host by one prefix and refuses by its group, under an overhead of 10
        // bytes; the other by another prefix, and refuses by the link, under one of 20.
        let (slow, wide) = (limits::packets(0), limits::rated(10_000_000_000, 1 << 30));
        let overhead = |limit, overhead_bytes| LinkLimit { overhead_bytes, ..limit };
        let mut by_group: Vec<_> = filler(16).collect();
        by_group.push(limits::within(limits::each("10.0.0.1/32", wide), "acme"));
        let mut by_link: Vec<_> = filler(17).collect();
        by_link.push(limits::within(limits::each("10.0.0.0/24", wide), "acme"));
        let policies = [
            policy(by_group, vec![limits::group("acme", slow)], overhead(LinkLimit::default(), 10)),
            policy(by_link, vec![limits::group("acme", wide)], overhead(limits::link(slow), 20)),
        ];
        sound(program.datapath().apply(&policies[0]));
        program.run(Hook::Ingress, &up(HOST));
        let classifier = program.detached(Hook::Ingress);
        let (done, sent) = (AtomicBool::new(false), AtomicU64::new(1));
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    repeat(&classifier, &up(HOST), 100);
                    sent.fetch_add(100, Ordering::Relaxed);
                }
            });
            for number in 1..=APPLIED {
                let applied = sound(program.datapath().apply(&policies[number as usize % 2]));
                let whole = Applied {
                    limits_set: 201,
                    limits_deleted: 201,
                    groups_set: 1,
                    groups_deleted: 0,
                    links_set: 1,
                };
                assert_eq!(applied, whole);
                thread::sleep(Duration::from_millis(50));
            }
            done.store(true, Ordering::Relaxed);
        });
        let tallies = program.tallies(Direction::Up);
        let tally = |reason: Reason| tallies[reason as usize];
        let (by_group, by_link) = (tally(Reason::GroupPackets), tally(Reason::LinkPackets));
        assert!(by_group.packets > 1000 && by_link.packets > 1000, "{by_group:?} {by_link:?}");
        assert_eq!(by_group.bytes, by_group.packets * 1010, "a group under the link of the other");
        assert_eq!(by_link.bytes, by_link.packets * 1020, "a link under the overhead of the other");
        // One in a second, and one where the debt is cut to the burst of a new limit.
        let conforms = tally(Reason::Conforms);
        let most = begun.elapsed().as_secs() + APPLIED + 3;
        assert!(conforms.packets <= most, "{conforms:?}: neither level held it");
        let all = by_group.packets + by_link.packets + conforms.packets;
        assert_eq!(all, sent.load(Ordering::Relaxed), "others were seen: {tallies:?}");
    });
}

#[test]
fn what_stays_in_a_policy_keeps_its_debts_and_counters() {
    require_root!();
    with_program(Side::Far, |program| {
        let each = limits::within(limits::each("10.0.0.0/24", limits::rated(800, 1)), "acme");
        let shared = limits::shared("10.0.1.0/24", limits::rated(800, 1));
        let group = limits::group("acme", limits::rated(800, 1 << 20));
        let link = limits::link(limits::rated(800, 1 << 20));
        let gone = limits::each("10.0.2.0/24", limits::bytes(1));
        let first = policy(
            vec![each.clone(), shared.clone(), gone.clone()],
            vec![group.clone(), limits::group("gone", limits::bytes(1))],
            link.clone(),
        );
        let applied = sound(program.datapath().apply(&first));
        let (limits_set, groups_set, links_set) = (3, 2, 1);
        let nothing = Applied::default();
        assert_eq!(applied, Applied { limits_set, groups_set, links_set, ..nothing });
        for host in [HOST, "10.0.1.1", "10.0.2.1"] {
            program.run(Hook::Ingress, &up(host));
            program.run(Hook::Ingress, &up(host));
        }
        let waits = |program: &mut Program| {
            let counters = program.counters();
            let hosts =
                [HOST, "10.0.1.1"].map(|host| program.host(host).expect("a host").up.wait_ns);
            (hosts, counters.groups[0].up.passed, counters.limits[0].up.excess)
        };
        let (before, passed, excess) = waits(program);
        let new = limits::each("10.0.3.0/24", limits::bytes(1));
        let second = policy(vec![each, shared, new], vec![group.clone()], link.clone());
        let applied = sound(program.datapath().apply(&second));
        let (limits_set, limits_deleted, groups_deleted) = (1, 1, 1);
        assert_eq!(applied, Applied { limits_set, limits_deleted, groups_deleted, ..nothing });
        assert_eq!(sound(program.datapath().apply(&second)), nothing);
        // Two applies have taken a second or two.
        let (after, passed_after, excess_after) = waits(program);
        for (before, after) in before.into_iter().zip(after) {
            assert!(after > 1_000_000_000 && after < before, "{before} {after}");
        }
        assert_eq!((passed_after, excess_after), (passed, excess));
        assert_eq!(passed, Tally { packets: 1, bytes: 1000 });
        let moves = Moves::up(Reason::HostBytes, 1000).held(HOST, "10.0.0.0/24", Fate::Excess);
        program.keeps(Hook::Ingress, &up(HOST), &moves);
        program.keeps(Hook::Ingress, &up("10.0.2.1"), &Moves::up(Reason::NoLimit, 1000));
        assert_eq!(program.datapath().link_limit(LINK), Some(link));
        assert_eq!(program.datapath().groups(), [group]);
    });
}

#[test]
fn a_policy_that_is_refused_changes_nothing() {
    require_root!();
    with_program(Side::Far, |program| {
        let each = |prefix: &str| limits::each(prefix, limits::rated(800, 1));
        let old = policy(
            vec![limits::within(each("10.0.0.0/24"), "acme"), each("10.0.1.0/24")],
            vec![limits::group("acme", limits::rated(800, 1 << 20))],
            LinkLimit { overhead_bytes: 7, ..limits::link(limits::rated(800, 1 << 20)) },
        );
        sound(program.datapath().apply(&old));
        program.run(Hook::Ingress, &up(HOST));
        let full = (0..65).map(|number| each(&format!("10.1.{number}.0/24")));
        let twice = limits::group("twice", limits::bytes(1));
        for (what, refused, words) in [
            (
                "a group that is missing",
                of_limits(vec![each("10.2.0.0/24"), limits::within(each("10.0.0.0/24"), "other")]),
                "no group other",
            ),
            (
                "a prefix given twice",
                of_limits(vec![each("10.2.0.0/24"), each("10.2.0.0/24")]),
                "given twice",
            ),
            (
                "a known prefix given twice",
                of_limits(vec![
                    each("10.0.1.0/24"),
                    limits::shared("10.0.1.0/24", limits::bytes(9)),
                ]),
                "given twice",
            ),
            (
                "a group given twice",
                Policy { groups: vec![twice.clone(), twice], ..Policy::default() },
                "given twice",
            ),
            ("more limits than there is room for", of_limits(full.collect()), "has room for 64"),
            (
                "a link that is not attached",
                Policy {
                    links: BTreeMap::from([("none0".to_owned(), LinkLimit::default())]),
                    ..old.clone()
                },
                "not attached",
            ),
        ] {
            let error = program.datapath().apply(&refused).expect_err(what);
            assert!(error.to_string().contains(words), "{what}: {error}");
            let datapath = program.datapath();
            assert_eq!(datapath.limits(), old.limits, "{what}");
            assert_eq!(datapath.groups(), old.groups, "{what}");
            assert_eq!(datapath.link_limit(LINK).as_ref(), old.links.get(LINK), "{what}");
            let moves = Moves::up(Reason::HostBytes, 1007).held(HOST, "10.0.0.0/24", Fate::Excess);
            program.keeps(Hook::Ingress, &up(HOST), &moves);
            program.keeps(Hook::Ingress, &up("10.2.0.1"), &Moves::up(Reason::NoLimit, 1007));
        }
        // Nothing of them is left either: there is as much room as before.
        for number in 0..60 {
            program.set(&each(&format!("10.3.{number}.0/24")));
        }
    });
}

#[test]
fn a_policy_is_adopted_after_a_restart_wherever_it_was_filled_in() {
    require_root!();
    with_program(Side::Far, |program| {
        let each = |prefix: &str| limits::each(prefix, limits::rated(800, 1));
        let first = policy(
            vec![limits::within(each("10.0.0.0/24"), "acme")],
            vec![limits::group("acme", limits::rated(800, 1))],
            LinkLimit { overhead_bytes: 8, ..limits::link(limits::packets(0)) },
        );
        let second = of_limits(vec![each("10.0.1.0/24")]);
        let check = |program: &mut Program, next: &Policy, when: &str| {
            let datapath = program.datapath();
            assert_eq!(datapath.limits(), next.limits, "{when}");
            assert_eq!(datapath.groups(), next.groups, "{when}");
            let link = next.links.get(LINK).cloned().unwrap_or_default();
            assert_eq!(datapath.link_limit(LINK), Some(link), "{when}");
        };
        for (number, next) in [&first, &second, &first].into_iter().enumerate() {
            sound(program.datapath().apply(next));
            check(program, next, &format!("policy {number}"));
            program.restart();
            check(program, next, &format!("policy {number} after a restart"));
        }
    });
}

#[test]
fn a_link_without_a_limit_stays_without_one_under_every_later_policy() {
    require_root!();
    with_program(Side::Far, |program| {
        let limited = policy(vec![], vec![], limits::link(limits::packets(0)));
        sound(program.datapath().apply(&limited));
        for number in 0..3 {
            let prefix = format!("10.{number}.0.0/24");
            sound(
                program.datapath().apply(&of_limits(vec![limits::each(&prefix, limits::bytes(1))])),
            );
            for _ in 0..3 {
                let moves = Moves::up(Reason::NoLimit, 1000);
                program.keeps(Hook::Ingress, &up("172.16.0.1"), &moves);
            }
        }
    });
}

#[test]
fn a_group_that_is_gone_stays_gone_after_later_policies_and_a_restart() {
    require_root!();
    with_program(Side::Far, |program| {
        let group = limits::group("acme", limits::packets(0));
        sound(program.datapath().apply(&policy(vec![], vec![group], LinkLimit::default())));
        for number in 0..2 {
            let prefix = format!("10.{number}.0.0/24");
            sound(
                program.datapath().apply(&of_limits(vec![limits::each(&prefix, limits::bytes(1))])),
            );
        }
        assert_eq!(program.datapath().groups(), []);
        program.restart();
        assert_eq!(program.datapath().groups(), []);
    });
}

#[test]
fn a_policy_as_large_as_the_table_replaces_another_as_large() {
    require_root!();
    with_program(Side::Far, |program| {
        let full = |second| {
            of_limits(
                (0..64)
                    .map(|third| {
                        limits::each(&format!("10.{second}.{third}.0/24"), limits::bytes(1))
                    })
                    .collect(),
            )
        };
        for second in 0..3 {
            sound(program.datapath().apply(&full(second)));
            assert_eq!(program.datapath().limits(), full(second).limits);
        }
    });
}
