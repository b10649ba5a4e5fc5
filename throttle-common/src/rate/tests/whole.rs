//! What a cost is over whole domains: every length up to 512 KiB, at rates from one end of the range to the other.

use super::*;

/// Both ends, their neighbours, powers of ten, and numbers that divide nothing.
const RATES: [u64; 12] = [
    8_000,
    8_001,
    99_991,
    1_000_000,
    33_333_333,
    1_000_000_000,
    9_999_999_967,
    25_000_000_000,
    100_000_000_000,
    234_567_890_123,
    399_999_999_999,
    400_000_000_000,
];

const LONGEST: u32 = 512 * 1024;

/// The phases with the least and the most to round up.
fn extremes(rate: &Rate) -> [u64; 2] {
    let round = |phase: &u64| phase.wrapping_mul(GOLDEN) >> (64 - rate.shift);
    let most = (0..4096).max_by_key(round).unwrap();
    [0, most]
}

/// A cost is within a tick of the exact one, and half of the last digit of the rate for each unit; a
/// longer packet costs no less; nothing overflows, which ends a test.
#[test]
fn every_length_costs_what_it_lasts_to_a_tick() {
    for bits_per_second in RATES {
        let rate = Rate::bytes(bits_per_second, 1).unwrap();
        let phases = extremes(&rate);
        let mut before = [0; 2];
        // The exact cost times the rate, and the bound times the rate.
        let (step, mut exact) = (8 * BIT_TICKS, 0);
        let slack = |len: u32| {
            u128::from(bits_per_second) * (1 + (u128::from(len) >> (rate.shift + 1)) + 1)
        };
        for len in 0..=LONGEST {
            let costs = phases.map(|phase| rate.cost(len, phase));
            for cost in costs {
                let found = u128::from(cost) * u128::from(bits_per_second);
                assert!(
                    found.abs_diff(exact) <= slack(len),
                    "{len} bytes at {bits_per_second} bit/s cost {cost}"
                );
            }
            assert!(costs[0] >= before[0] && costs[1] >= before[1], "{len} bytes cost less");
            assert!(costs[1] - costs[0] <= 1, "a phase moves {len} bytes by {costs:?}");
            before = costs;
            exact += step;
        }
    }
}

/// For any rate, that the product of the dearest packet fits: `mult` below 2^39 and units below 2^24.
const _: () = {
    let most = (MAX_UNITS as u128) * (MULT_LIMIT - 1) + (1 << MAX_SHIFT);
    assert!(most < 1 << 64);
    // The cost itself, and the longest burst besides, stay below where a word is a credit.
    assert!((most >> 1) + (MAX_BURST_TICKS as u128) < 1 << 63);
};

/// Every rate of a grid over the whole range has a multiplier within bounds, as precise as they allow.
#[test]
fn every_rate_has_a_multiplier_within_bounds() {
    let grid = (0..39).flat_map(|digit| {
        let from = 1_u64 << digit;
        (0..256).map(move |part| from + ((from * part) >> 8))
    });
    let bytes = grid.clone().filter(|rate| (8_000..=400_000_000_000).contains(rate));
    let bytes = bytes.map(|rate| (Rate::bytes(rate, 1).unwrap(), 8 * BIT_TICKS, rate));
    let packets = grid.filter(|rate| *rate <= 1_000_000_000);
    let packets = packets.map(|rate| (Rate::packets(rate, 1).unwrap(), BIT_TICKS, rate));
    for (rate, ticks, units) in bytes.chain(packets) {
        let units = u128::from(units);
        assert!(rate.is_limited() && u128::from(rate.mult) < MULT_LIMIT, "{rate:?}");
        assert!((1..=MAX_SHIFT).contains(&rate.shift), "{rate:?}");
        let off = (u128::from(rate.mult) * units).abs_diff(ticks << rate.shift);
        assert!(2 * off <= units, "{rate:?} is {off} off");
        let is_precise = rate.shift == MAX_SHIFT || u128::from(rate.mult) * 2 + 1 >= MULT_LIMIT;
        assert!(is_precise, "{rate:?} has room for another digit");
    }
}

/// Fractions of a tick do not add up, whichever phase a run of packets begins with.
#[test]
fn a_run_of_packets_of_any_short_length_costs_what_it_lasts_to_six_ticks() {
    for bits_per_second in [400_000_000_000, 399_999_999_999, 100_000_000_000, 40_000_000_000_u64] {
        let rate = Rate::bytes(bits_per_second, 1).unwrap();
        for len in 1..=256 {
            for start in [0, u64::MAX / 3, u64::MAX - 100] {
                let (mut sum, mut exact) = (0_u128, 0_u128);
                for packet in 0..400_u64 {
                    sum += u128::from(rate.cost(len, start.wrapping_add(packet)));
                    exact += u128::from(len) * 8 * BIT_TICKS;
                    let off = (sum * u128::from(bits_per_second)).abs_diff(exact);
                    assert!(
                        off <= 6 * u128::from(bits_per_second),
                        "{packet} packets of {len} bytes at {bits_per_second} bit/s"
                    );
                }
            }
        }
    }
}
