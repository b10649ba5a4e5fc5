//! Bytes.

use core::{fmt, str::FromStr};

use super::{
    error::{ParseError, Quantity},
    scale::{self, Unit, unit},
};

/// A size in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

const NORMAL: [Unit; 4] =
    [unit("gb", 1 << 30), unit("mb", 1 << 20), unit("kb", 1 << 10), unit("b", 1)];

const ACCEPTED: [Unit; 7] = {
    let [gb, mb, kb, b] = NORMAL;
    [b, kb, mb, gb, unit("kib", 1 << 10), unit("mib", 1 << 20), unit("gib", 1 << 30)]
};

impl Size {
    /// A size of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        scale::parse(Quantity::Size, &ACCEPTED, text).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scale::write(f, &NORMAL, self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::ToString;

    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        for (typed, bytes) in [
            ("1514b", 1514),
            ("64kb", 65536),
            ("64kib", 65536),
            ("1.5mb", 1_572_864),
            ("2gib", 1 << 31),
        ] {
            assert_eq!(typed.parse(), Ok(Size(bytes)), "{typed}");
        }
        assert_eq!(Size(1514).to_string(), "1514b");
        assert_eq!(Size(65536).to_string(), "64kb");
    }

    #[test]
    fn refusals_name_the_accepted_form() {
        let refusal = |text: &str| text.parse::<Size>().unwrap_err().to_string();
        assert_eq!(
            refusal("1500"),
            "size \"1500\" has no unit: write 1500b (bytes) or 1500kb (1024 bytes each)"
        );
        assert_eq!(
            refusal("64KB"),
            "size \"64KB\" has capitals, which can be read two ways: write 64kb"
        );
        assert_eq!(refusal("0.1kb"), "size \"0.1kb\" is not a whole number of bytes");
        assert!(refusal("64k").contains("b, kb, mb or gb"));
        assert!(refusal("-1b").contains("negative"));
        assert!(refusal("99999999999gb").contains("too large"));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(value: u64) {
            let size = Size(value);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
