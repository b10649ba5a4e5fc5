//! The arithmetic of one word over whole small domains and around every corner of the large one: zero, the
//! largest number, and half of it, where a word is a credit.

use super::*;
use crate::bucket::advance::Advance;

/// Numbers around zero and around half of the range, from below and above, and the same at a distance.
fn corners() -> Vec<u64> {
    let near = [0, 1 << 63, 1 << 62, 1 << 40].into_iter();
    near.flat_map(|corner: u64| (0..12).map(move |off| corner.wrapping_add(off).wrapping_sub(6)))
        .collect()
}

/// The word as the number that it stands for: an arrival time, or a credit below zero.
fn signed(word: u64) -> i128 {
    i128::from(word as i64)
}

#[test]
fn a_debt_is_what_lies_ahead_and_a_credit_what_lies_below_zero() {
    for tat in corners() {
        // Times stay below half of the range.
        for now in corners().into_iter().filter(|now| *now < 1 << 63) {
            let ahead = (signed(tat) - i128::from(now)).max(0);
            let expected = if signed(tat) < 0 { 0 } else { ahead };
            assert_eq!(i128::from(debt(tat, now)), expected, "{tat} at {now}");
            assert_eq!(i128::from(credit(tat)), (-signed(tat)).max(0), "{tat}");
        }
    }
}

#[test]
fn a_charge_uses_credit_first_and_then_adds_to_the_debt() {
    for tat in corners() {
        for now in corners().into_iter().filter(|now| *now < 1 << 62) {
            for cost in (0..8).chain([1 << 40, (1 << 61) + 3]) {
                let found = signed(charged(tat, now, cost));
                let left = signed(tat) + i128::from(cost);
                let expected = match signed(tat) {
                    ..0 if left < 0 => left,
                    ..0 => i128::from(now) + left,
                    tat => tat.max(now.into()) + i128::from(cost),
                };
                // Beyond the range lies a debt that no bucket takes on.
                if expected <= i128::from(i64::MAX) {
                    assert_eq!(found, expected, "{tat} at {now} charged {cost}");
                }
            }
        }
    }
}

#[test]
fn a_wait_is_the_least_after_which_the_packet_conforms() {
    let rate = |burst_ticks| Rate { burst_ticks, ..Rate::bytes(8_000, 1).unwrap() };
    for tat in corners() {
        for now in corners().into_iter().filter(|now| *now < 1 << 62) {
            for burst in (0..10).chain([1 << 40, 1 << 60]) {
                let wait = wait(tat, now, &rate(burst));
                assert!(debt(tat, now + wait) <= burst, "{tat} at {now} after {wait}");
                assert!(wait == 0 || debt(tat, now + wait - 1) > burst, "{tat} at {now}: {wait}");
            }
        }
    }
    assert_eq!(wait(u64::MAX / 4, 0, &Rate::UNLIMITED), 0);
}

#[test]
fn a_new_burst_cuts_and_a_grant_pays_over_whole_domains() {
    for now in [100_u64, 1 << 62] {
        for tat in (now - 12..now + 12).chain([0, 3, u64::MAX, u64::MAX - 9]) {
            for ticks in 0..16_u64 {
                let word = Cell::new(tat);
                clamp(&word, now, ticks);
                assert_eq!(debt(word.load(), now), debt(tat, now).min(ticks));
                assert_eq!(credit(word.load()), credit(tat));
                let word = Cell::new(tat);
                grant(&word, now, ticks);
                let owed = debt(tat, now);
                assert_eq!(
                    debt(word.load(), now),
                    owed.saturating_sub(ticks),
                    "{tat} at {now}: {ticks}"
                );
                // A grant of nothing leaves a credit; any other takes its place.
                let left = if owed == 0 && ticks == 0 {
                    credit(word.load())
                } else {
                    ticks.saturating_sub(owed)
                };
                assert_eq!(credit(word.load()), left, "{tat} at {now}: {ticks}");
            }
        }
    }
}

#[test]
fn a_stretch_and_its_bucket_pay_each_cost_once() {
    let ahead = |from: u64, to: u64, now: u64| to.saturating_sub(from.max(now));
    for from in 0..10_u64 {
        for size in 0..10 {
            for now in 0..20 {
                for cost in 0..14 {
                    let stretch = Advance::new();
                    stretch.take(from, size);
                    let before = ahead(from, from + size, now);
                    assert_eq!(stretch.has_room(now), before > 0);
                    match stretch.spend(now, cost) {
                        None => assert_eq!(before, 0, "{from}+{size} at {now}"),
                        Some(more) => {
                            let after = if stretch.has_room(now) { stretch.left() } else { 0 };
                            assert_eq!(
                                before - after + more,
                                cost,
                                "{from}+{size} at {now}: {cost}"
                            );
                            assert!(more == 0 || after == 0, "{from}+{size} at {now}: {cost}");
                        }
                    }
                }
            }
        }
    }
}
