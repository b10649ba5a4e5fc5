//! Lengths of time.

use core::{fmt, str::FromStr};

use super::{
    error::{ParseError, Quantity},
    scale::{self, Unit, unit},
};

/// A length of time in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

const NANOSECONDS_PER_MICROSECOND: u64 = 1_000;

const UNITS: [Unit; 3] = [
    unit("s", Span::NANOSECONDS_PER_SECOND),
    unit("ms", 1_000_000),
    unit("us", NANOSECONDS_PER_MICROSECOND),
];

impl Span {
    /// Nanoseconds in a second.
    pub const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

    /// A time of so many nanoseconds.
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The time in nanoseconds.
    #[must_use]
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Span {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        scale::parse(Quantity::Time, &UNITS, text).map(Self)
    }
}

impl fmt::Display for Span {
    /// The normal form; what is no whole number of microseconds is a decimal fraction of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = self.0 % NANOSECONDS_PER_MICROSECOND;
        if fraction == 0 {
            return scale::write(f, &UNITS, self.0);
        }
        let whole = self.0 / NANOSECONDS_PER_MICROSECOND;
        match (fraction % 10, fraction % 100) {
            (_, 0) => write!(f, "{whole}.{}us", fraction / 100),
            (0, _) => write!(f, "{whole}.{:02}us", fraction / 10),
            _ => write!(f, "{whole}.{fraction:03}us"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::ToString;

    use super::*;

    #[test]
    fn units_are_those_of_tc() {
        for (typed, nanoseconds) in
            [("250ms", 250_000_000), ("1.5s", 1_500_000_000), ("7us", 7_000)]
        {
            assert_eq!(typed.parse(), Ok(Span(nanoseconds)));
        }
    }

    #[test]
    fn the_normal_form_keeps_every_nanosecond() {
        for (nanoseconds, printed) in [
            (250_000_000, "250ms"),
            (2_000_000_000, "2s"),
            (0, "0us"),
            (1, "0.001us"),
            (1_120, "1.12us"),
            (1_100, "1.1us"),
        ] {
            assert_eq!(Span(nanoseconds).to_string(), printed);
        }
    }

    #[test]
    fn refusals_name_the_accepted_form() {
        let refusal = |text: &str| text.parse::<Span>().unwrap_err().to_string();
        assert_eq!(refusal("250"), "time \"250\" has no unit: write 250ms or 250s");
        assert!(refusal("1min").contains("us, ms or s"));
        assert_eq!(
            refusal("1MS"),
            "time \"1MS\" has capitals, which can be read two ways: write 1ms"
        );
        assert!(refusal("0.0001us").contains("whole number of nanoseconds"));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(value: u64) {
            let span = Span(value);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
