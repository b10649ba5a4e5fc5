//! What rates cost; [`whole`] has what holds over whole domains.

mod whole;

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const BIT_TICKS: u128 = TICKS_PER_SECOND as u128;

/// What `packets` packets of `len` bytes cost in all, beside the exact fraction of a tick.
fn total(rate: &Rate, len: u32, packets: u64) -> u64 {
    (0..packets).map(|phase| rate.cost(len, phase)).sum()
}

/// Error of a total cost in millionths of the exact one.
fn error_ppm(bits_per_second: u64, len: u32, packets: u64) -> u128 {
    let rate = Rate::bytes(bits_per_second, 1 << 16).unwrap();
    let exact = u128::from(len) * 8 * BIT_TICKS * u128::from(packets);
    let found = u128::from(total(&rate, len, packets)) * u128::from(bits_per_second);
    found.abs_diff(exact) * 1_000_000 / exact
}

const RATES: [u64; 8] = [
    8_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    400_000_000_000,
];

#[test]
fn a_full_sized_packet_costs_exactly_to_a_hundredth_percent_up_to_10_gbit() {
    for rate in RATES.into_iter().filter(|rate| *rate <= 10_000_000_000) {
        assert!(error_ppm(rate, 1500, 1) <= 100, "{rate} bit/s");
    }
}

#[test]
fn every_length_at_every_rate_is_exact_to_six_thousandths_over_a_flood() {
    for rate in RATES {
        for len in [1, 20, 46, 64, 576, 1500, 9000, 65_536, 512 * 1024] {
            let ppm = error_ppm(rate, len, 20_000);
            assert!(ppm <= 6_000, "{len} bytes at {rate} bit/s: {ppm} ppm");
        }
    }
}

#[test]
fn fractions_of_a_tick_do_not_add_up() {
    // 64 bytes at 100 Gbit/s cost 81.92 ticks, one byte at 400 Gbit/s 0.32.
    for (rate, len) in [(100_000_000_000_u64, 64_u32), (400_000_000_000, 1)] {
        let compiled = Rate::bytes(rate, 0).unwrap();
        for packets in [10, 1_000, 100_000] {
            let exact = u128::from(len) * 8 * BIT_TICKS * u128::from(packets) / u128::from(rate);
            let off = u128::from(total(&compiled, len, packets)).abs_diff(exact);
            assert!(off <= 6, "{packets} packets of {len} bytes are {off} ticks off");
        }
    }
}

#[test]
fn the_dearest_packet_does_not_overflow() {
    let slowest = Rate::bytes(8_000, 1 << 30).unwrap();
    let cost = u128::from(slowest.cost(MAX_UNITS, u64::MAX));
    let exact = u128::from(MAX_UNITS) * 8 * BIT_TICKS / 8_000;
    assert!(cost.abs_diff(exact) <= exact / 1_000_000);
    assert_eq!(slowest.cost(u32::MAX, 0), slowest.cost(MAX_UNITS, 0));
}

#[test]
fn a_burst_beyond_two_years_and_a_zero_rate_are_refused() {
    assert_eq!(Rate::bytes(0, 1), None);
    assert_eq!(Rate::packets(0, 1), None);
    assert_eq!(Rate::bytes(8_000, 1 << 40), None);
    assert!(Rate::bytes(8_000, 1 << 36).is_some());
    assert_eq!(Rate::refilled(u64::MAX, u64::MAX), None);
}

#[test]
fn packets_per_second_cost_their_share_of_a_second() {
    let rates: Vec<u64> = [1, 10, 1_000, 3_000_000, 600_000_000].into();
    for rate in rates {
        let compiled = Rate::packets(rate, 10).unwrap();
        let exact = TICKS_PER_SECOND / rate;
        assert!(compiled.cost(1, 0).abs_diff(exact) <= 1, "{rate} packets/s");
        assert!(compiled.burst_ticks.abs_diff(10 * TICKS_PER_SECOND / rate) <= 1);
    }
}

proptest! {
    #[test]
    fn any_rate_is_exact_over_a_flood(rate in 8_000_u64..=400_000_000_000, len in 20_u32..=512 * 1024) {
        prop_assert!(error_ppm(rate, len, 2_000) <= 6_000);
    }

    #[test]
    fn a_longer_packet_never_costs_less(rate in 8_000_u64..=400_000_000_000, len in 1_u32..1 << 19, phase: u64) {
        let rate = Rate::bytes(rate, 0).unwrap();
        prop_assert!(rate.cost(len, phase) <= rate.cost(len + 1, phase));
    }
}
