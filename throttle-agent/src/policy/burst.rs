//! Bursts: what may pass at once after a pause.

use std::{fmt, str::FromStr};

use throttle_common::units::{BitRate, PacketsPerSecond, ParseError, Problem, Size, Span};

use super::{PacketRate, Rates};

/// A quarter of a second outlasts TCP's shortest retransmission time-out of 200 ms.
const DEFAULT_TIME: Span = Span::from_nanoseconds(250_000_000);

/// One packet of the largest size there is without jumbograms.
const LARGEST_PACKET: Size = Size::from_bytes(65_536);

/// Segments that one such packet is cut into at an MTU of 1500 bytes.
const LARGEST_PACKET_SEGMENTS: u64 = 45;

/// The burst of a byte rate that none was given for.
pub(super) fn default_bytes(rate: BitRate) -> Size {
    rate.size_in(DEFAULT_TIME).max(LARGEST_PACKET)
}

/// The burst of a packet rate that none was given for, in packets.
pub(super) fn default_packets(rate: PacketsPerSecond) -> u64 {
    rate.packets_in(DEFAULT_TIME).max(LARGEST_PACKET_SEGMENTS)
}

/// Whether TCP stalls at the burst of a rate, which ends before its shortest retransmission time-out.
#[must_use]
pub fn stalls(rates: &Rates) -> bool {
    let bytes = rates.bytes.is_some_and(|bytes| bytes.burst < default_bytes(bytes.rate));
    let is_small = |packets: PacketRate| packets.burst_packets < default_packets(packets.rate);
    bytes || rates.packets.is_some_and(is_small)
}

/// A burst as it is typed: a size, or a time at the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Burst {
    /// So many bytes.
    Size(Size),
    /// What passes in this time at the rate.
    Time(Span),
}

impl Burst {
    /// The burst in bytes at `rate`.
    #[must_use]
    pub fn at(self, rate: BitRate) -> Size {
        match self {
            Self::Size(size) => size,
            Self::Time(span) => rate.size_in(span),
        }
    }
}

impl FromStr for Burst {
    type Err = BurstError;

    fn from_str(text: &str) -> Result<Self, BurstError> {
        let as_size = match text.parse() {
            Ok(size) => return Ok(Self::Size(size)),
            Err(error) => error,
        };
        match (text.parse(), as_size.problem()) {
            (Ok(time), _) => Ok(Self::Time(time)),
            // The unit is one of time, or of neither.
            (Err(as_time), Problem::UnknownUnit) if as_time.problem() != Problem::UnknownUnit => {
                Err(BurstError(as_time))
            }
            (Err(_), _) => Err(BurstError(as_size)),
        }
    }
}

/// A text that is neither a size nor a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstError(ParseError);

impl fmt::Display for BurstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (a burst is a size such as 64kb or a time such as 250ms)", self.0)
    }
}

impl std::error::Error for BurstError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_a_size_or_a_time() {
        assert_eq!("64kb".parse(), Ok(Burst::Size(Size::from_bytes(65_536))));
        assert_eq!("250ms".parse(), Ok(Burst::Time(Span::from_nanoseconds(250_000_000))));
    }

    #[test]
    fn a_time_is_taken_at_the_rate() {
        let burst: Burst = "100ms".parse().unwrap();
        assert_eq!(burst.at("10mbit".parse().unwrap()), Size::from_bytes(125_000));
    }

    #[test]
    fn refusals_name_both_forms() {
        for text in ["", "10", "64KB", "250MS", "10mbit", "-5ms", "0.0001us"] {
            let message = text.parse::<Burst>().unwrap_err().to_string();
            assert!(message.contains("a size such as 64kb or a time such as 250ms"), "{message}");
        }
        assert!("250MS".parse::<Burst>().unwrap_err().to_string().contains("write 250ms"));
        assert!("64KB".parse::<Burst>().unwrap_err().to_string().contains("write 64kb"));
    }

    #[test]
    fn the_default_is_a_quarter_second_but_at_least_one_large_packet() {
        assert_eq!(default_bytes("10mbit".parse().unwrap()).bytes(), 312_500);
        assert_eq!(default_bytes("8kbit".parse().unwrap()).bytes(), 65_536);
        assert_eq!(default_packets("2kpps".parse().unwrap()), 500);
        assert_eq!(default_packets("10pps".parse().unwrap()), 45);
    }
}
