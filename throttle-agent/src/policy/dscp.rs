//! Classes of service: the six bits that routers tell packets apart by (RFC 2474).

use std::{fmt, str::FromStr};

use super::text::number;

/// A differentiated services code point, 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dscp(u8);

/// Names of classes; of a class with two, the first is the normal form.
const NAMES: [(&str, u8); 24] = [
    // Class selectors: RFC 2474.
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    // Assured forwarding: RFC 2597.
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    // Expedited forwarding: RFC 3246. Voice admit: RFC 5865. Lower effort: RFC 8622.
    ("ef", 46),
    ("va", 44),
    ("le", 1),
    // Best effort.
    ("be", 0),
];

impl Dscp {
    const MAX: u8 = 63;

    /// The class with this number, if it is one of 0 to 63.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value <= Self::MAX { Some(Self(value)) } else { None }
    }

    /// The number, 0 to 63.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl FromStr for Dscp {
    type Err = DscpError;

    fn from_str(text: &str) -> Result<Self, DscpError> {
        let named = NAMES.iter().find(|(name, _)| *name == text).map(|&(_, value)| value);
        let value = named.or_else(|| number(text).and_then(|value| value.try_into().ok()));
        value.and_then(Self::new).ok_or_else(|| DscpError(text.to_owned()))
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|&&(_, value)| value == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A text that names no class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DscpError(String);

impl fmt::Display for DscpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "class {:?} is unknown: write cs0 to cs7, af11 to af43, ef, va, le, be, or 0 to {}",
            self.0,
            Dscp::MAX
        )
    }
}

impl std::error::Error for DscpError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_standards() {
        for (name, value) in [("cs1", 8), ("af11", 10), ("af43", 38), ("ef", 46), ("le", 1)] {
            assert_eq!(name.parse(), Ok(Dscp(value)));
            assert_eq!(value.to_string().parse(), Ok(Dscp(value)));
            assert_eq!(Dscp(value).to_string(), name);
        }
        assert_eq!("be".parse(), Ok(Dscp(0)));
        assert_eq!(Dscp(0).to_string(), "cs0");
        assert_eq!("0x2e".parse(), Ok(Dscp(46)));
    }

    #[test]
    fn assured_forwarding_is_eight_times_the_class_and_twice_the_precedence() {
        for (class, precedence) in (1..=4).flat_map(|class| (1..=3).map(move |p| (class, p))) {
            let name = format!("af{class}{precedence}");
            assert_eq!(name.parse(), Ok(Dscp(8 * class + 2 * precedence)));
        }
    }

    #[test]
    fn printing_and_parsing_are_inverse() {
        for dscp in (0..=Dscp::MAX).map(Dscp) {
            assert_eq!(dscp.to_string().parse(), Ok(dscp));
        }
    }

    #[test]
    fn what_is_no_class_is_refused() {
        for text in ["", "64", "-1", "cs8", "af14", "EF", "+5", "1.0", "0x40"] {
            let message = text.parse::<Dscp>().unwrap_err().to_string();
            assert!(message.contains("write cs0 to cs7, af11 to af43"), "{message}");
        }
    }
}
