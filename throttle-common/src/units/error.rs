//! Why a quantity was refused, in words that name what was typed and the accepted form.

use core::fmt::{self, Write};

/// What sort of quantity was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Bits or bytes per second.
    BitRate,
    /// Packets per second.
    PacketRate,
    /// Bytes.
    Size,
    /// Time.
    Time,
}

impl Quantity {
    const fn name(self) -> &'static str {
        match self {
            Self::BitRate => "rate",
            Self::PacketRate => "packet rate",
            Self::Size => "size",
            Self::Time => "time",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::BitRate => "10mbit (bits) or 10mbps (bytes per second)",
            Self::PacketRate => "2000pps or 2kpps",
            Self::Size => "64kb (1024 bytes each)",
            Self::Time => "250ms",
        }
    }

    const fn units(self) -> &'static str {
        match self {
            Self::BitRate => {
                "bit, kbit, mbit, gbit or tbit (bits), or bps, kbps, mbps or gbps (bytes per second)"
            }
            Self::PacketRate => "pps, kpps or mpps",
            Self::Size => "b, kb, mb or gb (powers of 1024), or kib, mib or gib",
            Self::Time => "us, ms or s",
        }
    }

    const fn base_units(self) -> &'static str {
        match self {
            Self::BitRate => "bits per second",
            Self::PacketRate => "packets per second",
            Self::Size => "bytes",
            Self::Time => "nanoseconds",
        }
    }
}

/// What is wrong with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// Nothing was typed.
    Empty,
    /// It does not start with digits, or a point lacks digits on one side.
    NotANumber,
    /// It starts with a minus sign.
    Negative,
    /// The number has no unit.
    NoUnit,
    /// The unit has capitals, which different programs read differently.
    Capitals,
    /// The unit is none of this quantity's.
    UnknownUnit,
    /// It is a fraction of the smallest unit.
    NotWhole,
    /// It does not fit into 64 bits of the smallest unit.
    TooLarge,
}

/// A text that is not a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    quantity: Quantity,
    problem: Problem,
    typed: Typed,
}

impl ParseError {
    pub(super) fn new(quantity: Quantity, problem: Problem, typed: &str) -> Self {
        Self { quantity, problem, typed: Typed::new(typed) }
    }

    /// What was expected.
    #[must_use]
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What is wrong.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// Names the units to choose from, given that the number stands and the unit does not.
    fn write_readings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = self.typed.split();
        match self.quantity {
            Quantity::BitRate => {
                let scale = rate_scale(number, unit);
                write!(
                    f,
                    "write {number}{scale}bit (bits) or {number}{scale}bps (bytes per second)"
                )
            }
            Quantity::PacketRate => write!(f, "write {number}pps or {number}kpps"),
            Quantity::Size => write!(f, "write {number}b (bytes) or {number}kb (1024 bytes each)"),
            Quantity::Time => write!(f, "write {number}ms or {number}s"),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, typed) = (self.quantity.name(), &self.typed);
        match self.problem {
            Problem::Empty => write!(f, "{name} is empty: write {}", self.quantity.example()),
            Problem::NotANumber => {
                write!(
                    f,
                    "{name} {typed} is not a number with a unit: write {}",
                    self.quantity.example()
                )
            }
            Problem::Negative => {
                write!(f, "{name} {typed} is negative: write {}", self.quantity.example())
            }
            Problem::NoUnit => {
                write!(f, "{name} {typed} has no unit: ")?;
                self.write_readings(f)
            }
            Problem::Capitals => {
                write!(f, "{name} {typed} has capitals, which can be read two ways: ")?;
                if self.quantity == Quantity::BitRate {
                    return self.write_readings(f);
                }
                f.write_str("write ")?;
                self.typed.write_lower_case(f)
            }
            Problem::UnknownUnit
                if self.quantity == Quantity::BitRate && self.typed.is_only_scaled() =>
            {
                write!(f, "{name} {typed} can be read two ways: ")?;
                self.write_readings(f)
            }
            Problem::UnknownUnit => {
                write!(f, "{name} {typed} has an unknown unit: use {}", self.quantity.units())
            }
            Problem::NotWhole => {
                write!(f, "{name} {typed} is not a whole number of {}", self.quantity.base_units())
            }
            Problem::TooLarge => {
                write!(
                    f,
                    "{name} {typed} is too large: at most {} {}",
                    u64::MAX,
                    self.quantity.base_units()
                )
            }
        }
    }
}

impl core::error::Error for ParseError {}

/// The scale letter to suggest for a rate: the one typed, else one that makes a usable rate.
fn rate_scale(number: &str, unit: &str) -> &'static str {
    match unit.as_bytes().first().map(u8::to_ascii_lowercase) {
        Some(b'k') => "k",
        Some(b'm') => "m",
        Some(b'g' | b't') => "g",
        Some(_) => "",
        None if number.len() <= 4 => "m",
        None => "",
    }
}

/// The beginning of what was typed, kept without an allocator.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Typed {
    bytes: [u8; Self::CAPACITY],
    len: u8,
    cut: bool,
}

impl Typed {
    const CAPACITY: usize = 40;

    fn new(text: &str) -> Self {
        let kept = &text[..text.floor_char_boundary(Self::CAPACITY)];
        let mut bytes = [0; Self::CAPACITY];
        bytes[..kept.len()].copy_from_slice(kept.as_bytes());
        // CAPACITY fits into a byte.
        Self { bytes, len: kept.len() as u8, cut: kept.len() < text.len() }
    }

    fn as_str(&self) -> &str {
        // The constructor cuts at a character boundary, so the default is never taken.
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The number and the unit.
    fn split(&self) -> (&str, &str) {
        let text = self.as_str();
        let is_unit = |byte: u8| !byte.is_ascii_digit() && byte != b'.';
        text.split_at(text.bytes().position(is_unit).unwrap_or(text.len()))
    }

    /// Whether the unit is a scale that lacks "bit" or "bps", as in `10m` or `10mb`.
    fn is_only_scaled(&self) -> bool {
        let unit = self.split().1;
        ["k", "m", "g", "t", "kb", "mb", "gb", "tb", "b"]
            .iter()
            .any(|scale| unit.eq_ignore_ascii_case(scale))
    }

    fn write_lower_case(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().chars().try_for_each(|character| f.write_char(character.to_ascii_lowercase()))
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.as_str(), if self.cut { "..." } else { "" })
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
