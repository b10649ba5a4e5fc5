//! What every quantity keeps, over a grid of numbers: small ones, those around powers of two and ten, and those
//! with few digits.

use core::{fmt, str::FromStr};
use std::{format, string::ToString, vec::Vec};

use super::*;

fn numbers() -> Vec<u64> {
    let small = 0..5_000;
    let powers = (0..64).map(|bit| 1_u64 << bit).chain((0..20).map(|digit| 10_u64.pow(digit)));
    let around =
        powers.flat_map(|power| (0..5).map(move |off| power.wrapping_add(off).wrapping_sub(2)));
    let few_digits = (0..19).flat_map(|zeros| {
        (1..100).filter_map(move |digits: u64| digits.checked_mul(10_u64.pow(zeros)))
    });
    small.chain(around).chain(few_digits).collect()
}

fn keeps<T>(of: impl Fn(u64) -> T)
where
    T: fmt::Display + fmt::Debug + FromStr<Err: fmt::Debug> + PartialEq + Copy,
{
    for number in numbers() {
        let (value, printed) = (of(number), of(number).to_string());
        assert_eq!(printed.parse::<T>().unwrap(), value, "{number} as {printed}");
        assert_eq!(printed.parse::<T>().unwrap().to_string(), printed, "{number}");
        // What is refused of one number is refused of all: a unit in capitals, and none at all.
        assert!(printed.to_uppercase().parse::<T>().is_err(), "{printed} in capitals");
        assert!(number.to_string().parse::<T>().is_err(), "{number} without a unit");
    }
}

#[test]
fn every_number_is_printed_as_it_is_read() {
    keeps(BitRate::from_bits_per_second);
    keeps(PacketsPerSecond::from_packets_per_second);
    keeps(Size::from_bytes);
    keeps(|number| Span::from_nanoseconds(number / 1000 * 1000));
}

/// Decimal fractions are exact or refused: every number of thousandths of every unit.
#[test]
fn every_fraction_is_exact_or_refused() {
    for (unit, bits) in [("bit", 1_u64), ("kbit", 1_000), ("mbit", 1_000_000), ("kbps", 8_000)] {
        for thousandths in 0..5_000_u64 {
            let text = format!("{}.{:03}{unit}", thousandths / 1000, thousandths % 1000);
            let read = text.parse::<BitRate>().ok().map(BitRate::bits_per_second);
            let exact = thousandths * bits;
            let expected = exact.is_multiple_of(1000).then_some(exact / 1000);
            assert_eq!(read, expected, "{text}");
        }
    }
}
