//! Rates as they are typed: a rate, or so much in each refill time.

use std::{fmt, str::FromStr};

use throttle_common::units::{BitRate, PacketsPerSecond, ParseError, Size, Span};

use super::text::number;

/// A byte rate as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedRate {
    /// `10mbit`: so many bits per second.
    Rate(BitRate),
    /// `1mib/100ms`: so many bytes in each refill time, which is the burst as well.
    Refill(Size, Span),
}

impl FromStr for TypedRate {
    type Err = TypedRateError;

    fn from_str(text: &str) -> Result<Self, TypedRateError> {
        let Some((size, time)) = text.split_once('/') else {
            return text.parse().map(Self::Rate).map_err(TypedRateError::Rate);
        };
        let of_refill = |cause| TypedRateError::Refill { typed: text.to_owned(), cause };
        Ok(Self::Refill(size.parse().map_err(of_refill)?, time.parse().map_err(of_refill)?))
    }
}

impl fmt::Display for TypedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Refill(size, time) => write!(f, "{size}/{time}"),
        }
    }
}

/// A text that is no byte rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedRateError {
    /// It has no slash and is no rate.
    Rate(ParseError),
    /// It has a slash, but no size before it or no time behind it.
    Refill {
        /// What was typed.
        typed: String,
        /// What is wrong with one of the two.
        cause: ParseError,
    },
}

impl fmt::Display for TypedRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(error) => error.fmt(f),
            Self::Refill { typed, cause } => {
                write!(f, "rate {typed:?} is no size per time such as 1mib/100ms: {cause}")
            }
        }
    }
}

impl std::error::Error for TypedRateError {}

/// A packet rate as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedPacketRate {
    /// `2kpps`, or `2000`, since the option's name says the unit: so many packets per second.
    Rate(PacketsPerSecond),
    /// `10/10ms`: so many packets in each refill time, which is the burst as well.
    Refill(u64, Span),
}

impl FromStr for TypedPacketRate {
    type Err = TypedPacketRateError;

    fn from_str(text: &str) -> Result<Self, TypedPacketRateError> {
        if let Some((packets, time)) = text.split_once('/') {
            let packets =
                number(packets).ok_or_else(|| TypedPacketRateError::Count(text.to_owned()))?;
            let time = time
                .parse()
                .map_err(|cause| TypedPacketRateError::Time { typed: text.to_owned(), cause })?;
            return Ok(Self::Refill(packets, time));
        }
        let rate = match number(text) {
            Some(number) => PacketsPerSecond::from_packets_per_second(number),
            None => text.parse().map_err(TypedPacketRateError::Rate)?,
        };
        Ok(Self::Rate(rate))
    }
}

impl fmt::Display for TypedPacketRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Refill(packets, time) => write!(f, "{packets}/{time}"),
        }
    }
}

/// A text that is no packet rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedPacketRateError {
    /// It has no slash and is no rate.
    Rate(ParseError),
    /// What stands before the slash is no number.
    Count(String),
    /// What stands behind the slash is no time.
    Time {
        /// What was typed.
        typed: String,
        /// What is wrong with the time.
        cause: ParseError,
    },
}

impl fmt::Display for TypedPacketRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FORM: &str = "is no number of packets per time such as 10/10ms";
        match self {
            Self::Rate(error) => error.fmt(f),
            Self::Count(typed) => write!(f, "packet rate {typed:?} {FORM}"),
            Self::Time { typed, cause } => write!(f, "packet rate {typed:?} {FORM}: {cause}"),
        }
    }
}

impl std::error::Error for TypedPacketRateError {}

/// Bytes per packet: a size, or a bare number, since the value's name is unit enough.
///
/// # Errors
/// It is neither; the message says what is accepted.
pub fn overhead(text: &str) -> Result<u64, String> {
    let size = text.parse().or_else(|_| text.parse().map(Size::bytes));
    size.map_err(|_| format!("overhead {text:?} is no number of bytes: write 38 or 38b"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slash_makes_a_refill_time() {
        let time = Span::from_nanoseconds(100_000_000);
        assert_eq!("10mbit".parse(), Ok(TypedRate::Rate("10mbit".parse().unwrap())));
        assert_eq!("1mib/100ms".parse(), Ok(TypedRate::Refill(Size::from_bytes(1 << 20), time)));
        let rate = PacketsPerSecond::from_packets_per_second(2000);
        for text in ["2000", "2kpps"] {
            assert_eq!(text.parse(), Ok(TypedPacketRate::Rate(rate)));
        }
        assert_eq!("10/100ms".parse(), Ok(TypedPacketRate::Refill(10, time)));
    }

    #[test]
    fn refusals_name_the_accepted_form() {
        for (text, expected) in [
            ("10", "write 10mbit (bits) or 10mbps"),
            ("1mib/", "no size per time such as 1mib/100ms: time is empty"),
            ("1mib/s", "such as 1mib/100ms: time \"s\" is not a number"),
            ("/1s", "such as 1mib/100ms: size is empty"),
            ("1mbit/1s", "such as 1mib/100ms: size \"1mbit\" has an unknown unit"),
            ("1kb/1s/1s", "such as 1mib/100ms: time"),
        ] {
            let message = text.parse::<TypedRate>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        for (text, expected) in [
            ("fast", "write 2000pps or 2kpps"),
            ("10pps/1s", "such as 10/10ms"),
            ("/1s", "such as 10/10ms"),
            ("10/5", "such as 10/10ms: time \"5\" has no unit"),
        ] {
            let message = text.parse::<TypedPacketRate>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(amount: u64, nanoseconds: u64) {
            let time = Span::from_nanoseconds(nanoseconds);
            for rate in [
                TypedRate::Rate(BitRate::from_bits_per_second(amount)),
                TypedRate::Refill(Size::from_bytes(amount), time),
            ] {
                prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            }
            for rate in [
                TypedPacketRate::Rate(PacketsPerSecond::from_packets_per_second(amount)),
                TypedPacketRate::Refill(amount, time),
            ] {
                prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            }
        }
    }
}
