//! Exact decimal numbers: digits, and perhaps a point and more digits.

use super::error::Problem;

/// A number before its unit is applied: `mantissa / 10^fraction_digits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: u128,
    fraction_digits: u32,
}

impl Decimal {
    /// Splits `text` into the number at its start and the unit that follows.
    pub(super) fn split(text: &str) -> Result<(Self, &str), Problem> {
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        if text.starts_with('-') {
            return Err(Problem::Negative);
        }
        let (whole, rest) = split_digits(text);
        let (fraction, unit) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("0", rest),
        };
        if whole.is_empty() || fraction.is_empty() {
            return Err(Problem::NotANumber);
        }
        let fraction = fraction.trim_end_matches('0');
        let mantissa = whole.bytes().chain(fraction.bytes()).try_fold(0u128, push_digit);
        let fraction_digits = u32::try_from(fraction.len()).ok();
        match (mantissa, fraction_digits) {
            (Some(mantissa), Some(fraction_digits)) => {
                Ok((Self { mantissa, fraction_digits }, unit))
            }
            (None, _) | (_, None) => Err(Problem::TooLarge),
        }
    }

    /// The number times `multiplier`, if that is a whole number below 2^64.
    pub(super) fn times(self, multiplier: u64) -> Result<u64, Problem> {
        let product = self.mantissa.checked_mul(u128::from(multiplier)).ok_or(Problem::TooLarge)?;
        let divisor = 10u128.checked_pow(self.fraction_digits).ok_or(Problem::TooLarge)?;
        if product % divisor != 0 {
            return Err(Problem::NotWhole);
        }
        u64::try_from(product / divisor).map_err(|_| Problem::TooLarge)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn push_digit(mantissa: u128, digit: u8) -> Option<u128> {
    mantissa.checked_mul(10)?.checked_add(u128::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str, multiplier: u64) -> Result<u64, Problem> {
        let (number, unit) = Decimal::split(text)?;
        assert_eq!(unit, "");
        number.times(multiplier)
    }

    #[test]
    fn fractions_are_exact_or_refused() {
        assert_eq!(times("1.5", 1000), Ok(1500));
        assert_eq!(times("1.500000000000000000000000000000000000000000000", 2), Ok(3));
        assert_eq!(times("0.1", 1024), Err(Problem::NotWhole));
        assert_eq!(times("0.001", 1000), Ok(1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(times("18446744073709551615", 1), Ok(u64::MAX));
        assert_eq!(times("18446744073709551616", 1), Err(Problem::TooLarge));
        assert_eq!(times("18446744073709551615", 1000), Err(Problem::TooLarge));
        assert_eq!(times("999999999999999999999999999999999999999999", 1), Err(Problem::TooLarge));
    }

    #[test]
    fn only_plain_digits_make_a_number() {
        for text in [".5", "5.", ".", "+5", "nan", "inf", "٣", " 5"] {
            assert_eq!(Decimal::split(text), Err(Problem::NotANumber), "{text}");
        }
        assert_eq!(Decimal::split(""), Err(Problem::Empty));
        assert_eq!(Decimal::split("-5"), Err(Problem::Negative));
    }
}
