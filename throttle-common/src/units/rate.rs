//! Bits per second.

use core::{fmt, str::FromStr};

use super::{
    error::{ParseError, Quantity},
    scale::{self, Unit, unit},
    size::Size,
    span::Span,
};

/// A rate in bits per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(u64);

const NORMAL: [Unit; 5] = [
    unit("tbit", 1_000_000_000_000),
    unit("gbit", 1_000_000_000),
    unit("mbit", 1_000_000),
    unit("kbit", 1_000),
    unit("bit", 1),
];

const ACCEPTED: [Unit; 9] = {
    let [tbit, gbit, mbit, kbit, bit] = NORMAL;
    [
        bit,
        kbit,
        mbit,
        gbit,
        tbit,
        unit("bps", 8),
        unit("kbps", 8_000),
        unit("mbps", 8_000_000),
        unit("gbps", 8_000_000_000),
    ]
};

impl BitRate {
    /// A rate of so many bits per second.
    #[must_use]
    pub const fn from_bits_per_second(bits_per_second: u64) -> Self {
        Self(bits_per_second)
    }

    /// The rate in bits per second.
    #[must_use]
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// The whole rate nearest to `size` in each `span`; a span of 0 counts as a nanosecond.
    #[must_use]
    pub fn nearest(size: Size, span: Span) -> Self {
        // Below 2^64 * 2^33.
        let bit_nanoseconds =
            u128::from(size.bytes()) * 8 * u128::from(Span::NANOSECONDS_PER_SECOND);
        let nanoseconds = u128::from(span.nanoseconds().max(1));
        let nearest = (bit_nanoseconds + nanoseconds / 2) / nanoseconds;
        Self(u64::try_from(nearest).unwrap_or(u64::MAX))
    }

    /// What passes in `span` at this rate, rounded up to whole bytes.
    #[must_use]
    pub fn size_in(self, span: Span) -> Size {
        // Both factors are below 2^64, so the product fits into 128 bits.
        let bit_nanoseconds = u128::from(self.0) * u128::from(span.nanoseconds());
        let bytes = bit_nanoseconds.div_ceil(8 * u128::from(Span::NANOSECONDS_PER_SECOND));
        Size::from_bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// How long `size` lasts at this rate, rounded up; a rate of 0 counts as a bit per second.
    #[must_use]
    pub fn time_of(self, size: Size) -> Span {
        // Below 2^64 * 2^33.
        let bit_nanoseconds =
            u128::from(size.bytes()) * 8 * u128::from(Span::NANOSECONDS_PER_SECOND);
        let nanoseconds = bit_nanoseconds.div_ceil(u128::from(self.0.max(1)));
        Span::from_nanoseconds(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl FromStr for BitRate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        scale::parse(Quantity::BitRate, &ACCEPTED, text).map(Self)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scale::write(f, &NORMAL, self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::ToString;

    use super::*;

    fn bits(text: &str) -> u64 {
        text.parse::<BitRate>().unwrap().bits_per_second()
    }

    fn refusal(text: &str) -> std::string::String {
        text.parse::<BitRate>().unwrap_err().to_string()
    }

    #[test]
    fn bits_and_bytes_are_read_as_tc_reads_them() {
        assert_eq!(bits("1bit"), 1);
        assert_eq!(bits("8kbit"), 8_000);
        assert_eq!(bits("1.5mbit"), 1_500_000);
        assert_eq!(bits("400gbit"), 400_000_000_000);
        assert_eq!(bits("1tbit"), 1_000_000_000_000);
        assert_eq!(bits("10mbps"), 80_000_000);
        assert_eq!(bits("0.125bps"), 1);
        assert_eq!(bits("0mbit"), 0);
    }

    #[test]
    fn the_normal_form_uses_the_largest_unit_that_divides() {
        for (typed, printed) in
            [("10mbit", "10mbit"), ("1.5mbit", "1500kbit"), ("10mbps", "80mbit"), ("0kbit", "0bit")]
        {
            assert_eq!(typed.parse::<BitRate>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn refusals_name_both_readings() {
        let both = "write 10mbit (bits) or 10mbps (bytes per second)";
        assert_eq!(refusal("10"), std::format!("rate \"10\" has no unit: {both}"));
        assert_eq!(
            refusal("10Mbps"),
            std::format!("rate \"10Mbps\" has capitals, which can be read two ways: {both}")
        );
        assert_eq!(refusal("10M"), std::format!("rate \"10M\" can be read two ways: {both}"));
        assert_eq!(refusal("10mb"), std::format!("rate \"10mb\" can be read two ways: {both}"));
        assert_eq!(
            refusal("10000000"),
            "rate \"10000000\" has no unit: write 10000000bit (bits) or 10000000bps (bytes per second)"
        );
    }

    #[test]
    fn refusals_name_the_accepted_form() {
        for text in [
            "", "fast", "-10mbit", "nan", "infmbit", "1e6bit", "10 mbit", "10ms", "10pps", "0.1bit",
        ] {
            let message = refusal(text);
            assert!(message.contains("bit"), "{message}");
        }
        assert!(refusal("18446744073709551615kbit").contains("too large"));
        assert!(refusal(&"9".repeat(300)).contains("..."));
    }

    #[test]
    fn the_nearest_rate_is_rounded_and_saturates() {
        let nearest = |bytes, nanoseconds| {
            BitRate::nearest(Size::from_bytes(bytes), Span::from_nanoseconds(nanoseconds))
        };
        assert_eq!(nearest(1 << 20, 100_000_000), BitRate(83_886_080));
        assert_eq!(nearest(1, 3_000_000_000), BitRate(3));
        assert_eq!(nearest(u64::MAX, 1), BitRate(u64::MAX));
        assert_eq!(nearest(0, 0), BitRate(0));
    }

    #[test]
    fn size_in_rounds_up_and_saturates() {
        let quarter = Span::from_nanoseconds(250_000_000);
        assert_eq!(BitRate(10_000_000).size_in(quarter).bytes(), 312_500);
        assert_eq!(BitRate(1).size_in(quarter).bytes(), 1);
        assert_eq!(BitRate(u64::MAX).size_in(Span::from_nanoseconds(u64::MAX)).bytes(), u64::MAX);
    }

    #[test]
    fn time_of_rounds_up_and_saturates() {
        let time = |rate, bytes| BitRate(rate).time_of(Size::from_bytes(bytes)).nanoseconds();
        assert_eq!(time(10_000_000, 312_500), 250_000_000);
        assert_eq!(time(3_000_000_000, 1), 3);
        assert_eq!(time(0, u64::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(value: u64) {
            let rate = BitRate(value);
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn any_text_parses_or_is_refused_in_words(text in "\\PC{0,60}") {
            match text.parse::<BitRate>() {
                Ok(rate) => prop_assert_eq!(rate.to_string().parse(), Ok(rate)),
                Err(error) => prop_assert!(error.to_string().starts_with("rate ")),
            }
        }
    }
}
