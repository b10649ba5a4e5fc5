use std::{collections::BTreeSet, vec::Vec};

use super::*;
use crate::{
    abi::LimitRates,
    bucket::{Account, Clock, Levels, Load, admit},
    cell::Cell,
    packet::Wire,
    rate::{Rate, TICKS_PER_SECOND},
};

const NOW: u64 = 1_000 * TICKS_PER_SECOND;

struct Standing;

impl Clock for Standing {
    fn coarse(&self) -> u64 {
        NOW
    }

    fn precise(&self) -> u64 {
        NOW
    }
}

fn limit(flags: u32, bytes: Rate, packets: Rate) -> Limit {
    // SAFETY: a limit is made of integers, arrays of them and an address, which is two of them.
    let mut limit: Limit = unsafe { core::mem::zeroed() };
    limit.flags = flags;
    limit.action_value = 46;
    limit.rates = [LimitRates { bytes, packets }; 2];
    limit
}

/// A limit with room for four packets of 1000 bytes at once that marks beyond half of it.
fn four_packets(flags: u32) -> Limit {
    let rate = Rate::bytes(8_000_000, 3_999).unwrap().marking_from_half();
    limit(flags, rate, Rate::UNLIMITED)
}

fn nothing() -> Limit {
    limit(0, Rate::UNLIMITED, Rate::UNLIMITED)
}

/// What becomes of `packets` packets of 1000 bytes at once.
fn verdicts(limits: [&Limit; 3], level: Level, can_pace: bool, packets: usize) -> Vec<Verdict> {
    let tats: [[Cell; 2]; 3] = Default::default();
    let load = Load { direction: Direction::Down, wire: Wire::single(1000), phase: 0 };
    let account = |level: usize| {
        let [bytes_tat, packets_tat] = &tats[level];
        Account::new(limits[level], bytes_tat, packets_tat)
    };
    let send = || {
        let levels = Levels { host: account(0), group: account(1), link: account(2) };
        let outcome = admit(&Standing, &levels, load);
        Verdict::of(limits[0], Direction::Down, level, &outcome, can_pace)
    };
    (0..packets).map(|_| send()).collect()
}

/// What becomes of six packets of a host with nothing above it and room for four.
fn of_six(flags: u32, can_pace: bool) -> [Verdict; 6] {
    let limits = [&four_packets(flags), &nothing(), &nothing()];
    verdicts(limits, Level::Host, can_pace, 6).try_into().unwrap()
}

const CONFORMS: Verdict = Verdict::plain(Reason::Conforms);
const REFUSED: Verdict = Verdict::plain(Reason::HostBytes);

/// A verdict on a packet that is treated, and passes all the same where it cannot be.
fn treated(reason: Reason, treatment: Treatment, value: u64, untreated: Reason) -> Verdict {
    Verdict { reason, treatment, value, untreated }
}

#[test]
fn drop_refuses_excess_and_leaves_the_rest_alone() {
    let [passed @ .., fifth, sixth] = of_six(0, true);
    assert_eq!((passed, [fifth, sixth]), ([CONFORMS; 4], [REFUSED; 2]));
}

#[test]
fn ecn_marks_beyond_half_of_the_burst_and_refuses_beyond_it() {
    let marked = treated(Reason::EcnMarked, Treatment::Ce, 0, Reason::Conforms);
    let expected = [CONFORMS, CONFORMS, marked, marked, REFUSED, REFUSED];
    assert_eq!(of_six(Limit::ECN, true), expected);
}

#[test]
fn ecn_marks_beyond_the_mark_of_either_bucket() {
    let rate = Rate::packets(1_000, 4).unwrap().marking_from_half();
    let host = limit(Limit::ECN, Rate::UNLIMITED, rate);
    let reasons: Vec<_> = verdicts([&host, &nothing(), &nothing()], Level::Host, true, 6)
        .iter()
        .map(|verdict| verdict.reason)
        .collect();
    let (conforms, marked) = (Reason::Conforms, Reason::EcnMarked);
    // The fifth finds a debt of exactly the burst.
    assert_eq!(reasons, [conforms, conforms, conforms, marked, marked, Reason::HostPackets]);
}

#[test]
fn pace_gives_each_packet_a_slot_of_its_own_and_marks_late_ones() {
    let cost = four_packets(0).rates[0].bytes.cost(1000, 0);
    let slot = |number, treatment| {
        treated(Reason::Paced, treatment, NOW + number * cost, Reason::Conforms)
    };
    let expected = [
        CONFORMS,
        slot(1, Treatment::Pace),
        slot(2, Treatment::PaceCe),
        slot(3, Treatment::PaceCe),
        REFUSED,
        REFUSED,
    ];
    assert_eq!(of_six(Limit::PACE, true), expected);
}

#[test]
fn pace_polices_where_packets_cannot_be_delayed() {
    assert_eq!(of_six(Limit::PACE, false), of_six(0, false));
}

#[test]
fn dscp_mark_and_observe_treat_excess_and_pass_it() {
    for (flag, reason, treatment, value) in [
        (Limit::DSCP, Reason::DscpMarked, Treatment::Dscp, 46),
        (Limit::MARK, Reason::SkbMarked, Treatment::Mark, 46),
        (Limit::OBSERVE, Reason::Observed, Treatment::None, 0),
    ] {
        let excess = treated(reason, treatment, value, Reason::Observed);
        let [passed @ .., fifth, sixth] = of_six(flag, true);
        assert_eq!((passed, [fifth, sixth]), ([CONFORMS; 4], [excess; 2]));
    }
}

#[test]
fn excess_of_a_parent_that_observes_is_observed_whatever_the_host_does() {
    let observes = four_packets(Limit::OBSERVE);
    let generous = Rate::bytes(8_000_000_000, 1 << 20).unwrap();
    for flags in [0, Limit::ECN, Limit::PACE, Limit::DSCP, Limit::MARK, Limit::OBSERVE] {
        let host = limit(flags, generous, Rate::UNLIMITED);
        for limits in [[&host, &observes, &nothing()], [&host, &nothing(), &observes]] {
            let fifth = verdicts(limits, Level::Host, false, 5)[4];
            assert_eq!(fifth, Verdict::plain(Reason::Observed));
        }
    }
}

#[test]
fn excess_of_host_and_parent_is_treated_as_the_hosts() {
    let observes = four_packets(Limit::OBSERVE);
    let fifth =
        verdicts([&four_packets(Limit::DSCP), &observes, &nothing()], Level::Host, true, 5)[4];
    assert_eq!(fifth.reason, Reason::DscpMarked);
}

#[test]
fn what_a_parent_refuses_is_refused_whatever_the_host_lets_pass() {
    let (host, strict, nothing) = (four_packets(Limit::OBSERVE), four_packets(0), nothing());
    let fifth = |limits| verdicts(limits, Level::Shared, true, 5)[4];
    assert_eq!(fifth([&host, &strict, &nothing]), Verdict::plain(Reason::GroupBytes));
    assert_eq!(fifth([&host, &nothing, &strict]), Verdict::plain(Reason::LinkBytes));
}

#[test]
fn every_level_has_reasons_of_its_own() {
    for (level, conforms, bytes, packets) in [
        (Level::Host, Reason::Conforms, Reason::HostBytes, Reason::HostPackets),
        (Level::Shared, Reason::Conforms, Reason::SharedBytes, Reason::SharedPackets),
        (Level::Overflow, Reason::OverflowConforms, Reason::OverflowBytes, Reason::OverflowPackets),
    ] {
        assert_eq!(level.conforms(), conforms);
        for (by, reason) in [
            (Refused::HostBytes, bytes),
            (Refused::HostPackets, packets),
            (Refused::GroupBytes, Reason::GroupBytes),
            (Refused::GroupPackets, Reason::GroupPackets),
            (Refused::LinkBytes, Reason::LinkBytes),
            (Refused::LinkPackets, Reason::LinkPackets),
        ] {
            assert_eq!(level.refused(by), reason);
            assert!(reason.refuses() && !conforms.refuses());
        }
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::COUNT);
    let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    assert!(names.iter().all(is_plain));
}

#[test]
fn a_reason_is_that_of_its_number_and_any_other_number_is_internal() {
    for reason in Reason::ALL {
        assert_eq!(Reason::from_number(reason as u32), reason);
    }
    for number in [Reason::COUNT as u32, u32::MAX] {
        assert_eq!(Reason::from_number(number), Reason::Internal);
    }
}
