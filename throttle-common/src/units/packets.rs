//! Packets per second.

use core::{fmt, str::FromStr};

use super::{
    error::{ParseError, Quantity},
    scale::{self, Unit, unit},
    span::Span,
};

/// A rate in packets per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketsPerSecond(u64);

const UNITS: [Unit; 3] = [unit("mpps", 1_000_000), unit("kpps", 1_000), unit("pps", 1)];

impl PacketsPerSecond {
    /// A rate of so many packets per second.
    #[must_use]
    pub const fn from_packets_per_second(packets_per_second: u64) -> Self {
        Self(packets_per_second)
    }

    /// The rate in packets per second.
    #[must_use]
    pub const fn packets_per_second(self) -> u64 {
        self.0
    }

    /// The whole rate nearest to `packets` in each `span`; a span of 0 counts as a nanosecond.
    #[must_use]
    pub fn nearest(packets: u64, span: Span) -> Self {
        // Below 2^64 * 2^30.
        let packet_nanoseconds = u128::from(packets) * u128::from(Span::NANOSECONDS_PER_SECOND);
        let nanoseconds = u128::from(span.nanoseconds().max(1));
        let nearest = (packet_nanoseconds + nanoseconds / 2) / nanoseconds;
        Self(u64::try_from(nearest).unwrap_or(u64::MAX))
    }

    /// How many packets pass in `span` at this rate, rounded up.
    #[must_use]
    pub fn packets_in(self, span: Span) -> u64 {
        // Both factors are below 2^64, so the product fits into 128 bits.
        let packet_nanoseconds = u128::from(self.0) * u128::from(span.nanoseconds());
        let packets = packet_nanoseconds.div_ceil(u128::from(Span::NANOSECONDS_PER_SECOND));
        u64::try_from(packets).unwrap_or(u64::MAX)
    }

    /// How long `packets` last at this rate, rounded up; a rate of 0 counts as a packet per second.
    #[must_use]
    pub fn time_of(self, packets: u64) -> Span {
        // Below 2^64 * 2^30.
        let packet_nanoseconds = u128::from(packets) * u128::from(Span::NANOSECONDS_PER_SECOND);
        let nanoseconds = packet_nanoseconds.div_ceil(u128::from(self.0.max(1)));
        Span::from_nanoseconds(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl FromStr for PacketsPerSecond {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        scale::parse(Quantity::PacketRate, &UNITS, text).map(Self)
    }
}

impl fmt::Display for PacketsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scale::write(f, &UNITS, self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::ToString;

    use super::*;

    #[test]
    fn units_are_powers_of_a_thousand() {
        for (typed, value) in [("2000pps", 2000), ("2kpps", 2000), ("1.5mpps", 1_500_000)] {
            assert_eq!(typed.parse(), Ok(PacketsPerSecond(value)));
        }
        assert_eq!(PacketsPerSecond(2000).to_string(), "2kpps");
        assert_eq!(PacketsPerSecond(0).to_string(), "0pps");
    }

    #[test]
    fn refusals_name_the_accepted_form() {
        let refusal = |text: &str| text.parse::<PacketsPerSecond>().unwrap_err().to_string();
        assert_eq!(refusal("2000"), "packet rate \"2000\" has no unit: write 2000pps or 2000kpps");
        assert_eq!(
            refusal("2Kpps"),
            "packet rate \"2Kpps\" has capitals, which can be read two ways: write 2kpps"
        );
        assert!(refusal("0.5pps").contains("whole number of packets per second"));
        assert!(refusal("2mbit").contains("pps, kpps or mpps"));
    }

    #[test]
    fn the_nearest_rate_is_rounded_and_saturates() {
        let nearest = |packets, nanoseconds| {
            PacketsPerSecond::nearest(packets, Span::from_nanoseconds(nanoseconds))
        };
        assert_eq!(nearest(10, 10_000_000), PacketsPerSecond(1000));
        assert_eq!(nearest(2, 3_000_000_000), PacketsPerSecond(1));
        assert_eq!(nearest(u64::MAX, 0), PacketsPerSecond(u64::MAX));
    }

    #[test]
    fn packets_in_rounds_up() {
        assert_eq!(PacketsPerSecond(1001).packets_in(Span::from_nanoseconds(250_000_000)), 251);
    }

    #[test]
    fn time_of_rounds_up_and_saturates() {
        let time = |rate, packets| PacketsPerSecond(rate).time_of(packets).nanoseconds();
        assert_eq!(time(2000, 500), 250_000_000);
        assert_eq!(time(3_000_000_000, 1), 1);
        assert_eq!(time(0, u64::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(value: u64) {
            let rate = PacketsPerSecond(value);
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
