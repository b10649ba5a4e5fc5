//! Rates with their bursts.

use std::fmt;

use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

/// A rate in bits per second with its burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteRate {
    /// Layer-3 bits per second.
    pub rate: BitRate,
    /// What may pass at once after a pause.
    pub burst: Size,
    /// When set, the rate is exactly `burst` in each such time, and `rate` the nearest whole number.
    pub refill: Option<Span>,
}

impl ByteRate {
    /// The rate of `burst` in each `refill` time.
    #[must_use]
    pub fn refilled(burst: Size, refill: Span) -> Self {
        Self { rate: BitRate::nearest(burst, refill), burst, refill: Some(refill) }
    }

    /// Time in which a burst that was spent comes back.
    #[must_use]
    pub fn burst_time(&self) -> Span {
        self.refill.unwrap_or_else(|| self.rate.time_of(self.burst))
    }
}

/// A rate in packets per second with its burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketRate {
    /// Wire packets per second.
    pub rate: PacketsPerSecond,
    /// Packets that may pass at once after a pause.
    pub burst_packets: u64,
    /// When set, the rate is exactly `burst_packets` in each such time, and `rate` the nearest whole
    /// number.
    pub refill: Option<Span>,
}

impl PacketRate {
    /// The rate of `burst_packets` in each `refill` time.
    #[must_use]
    pub fn refilled(burst_packets: u64, refill: Span) -> Self {
        let rate = PacketsPerSecond::nearest(burst_packets, refill);
        Self { rate, burst_packets, refill: Some(refill) }
    }

    /// Time in which a burst that was spent comes back.
    #[must_use]
    pub fn burst_time(&self) -> Span {
        self.refill.unwrap_or_else(|| self.rate.time_of(self.burst_packets))
    }
}

/// The rates of one direction, or of both together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rates {
    /// Limit on bytes.
    pub bytes: Option<ByteRate>,
    /// Limit on packets.
    pub packets: Option<PacketRate>,
}

impl Rates {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_none() && self.packets.is_none()
    }
}

impl fmt::Display for ByteRate {
    /// As it can be typed, as in `10mbit burst 312500b` or `1mb/100ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refill {
            Some(time) => write!(f, "{}/{time}", self.burst),
            None => write!(f, "{} burst {}", self.rate, self.burst),
        }
    }
}

impl fmt::Display for PacketRate {
    /// As it can be typed, as in `2kpps burst 500` or `10/10ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refill {
            Some(time) => write!(f, "{}/{time}", self.burst_packets),
            None => write!(f, "{} burst {}", self.rate, self.burst_packets),
        }
    }
}

impl fmt::Display for Rates {
    /// Both kinds, or a dash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.bytes, self.packets) {
            (Some(bytes), Some(packets)) => write!(f, "{bytes}, {packets}"),
            (Some(bytes), None) => bytes.fmt(f),
            (None, Some(packets)) => packets.fmt(f),
            (None, None) => f.pad("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_printed_in_the_form_in_which_they_are_typed() {
        let bytes = ByteRate {
            rate: "10mbit".parse().unwrap(),
            burst: Size::from_bytes(312_500),
            refill: None,
        };
        let packets =
            PacketRate { rate: "2kpps".parse().unwrap(), burst_packets: 500, refill: None };
        let rates = Rates { bytes: Some(bytes), packets: Some(packets) };
        assert_eq!(rates.to_string(), "10mbit burst 312500b, 2kpps burst 500");
        assert_eq!(Rates { bytes: None, ..rates }.to_string(), "2kpps burst 500");
        assert_eq!(Rates::default().to_string(), "-");
        let quarter = Span::from_nanoseconds(250_000_000);
        assert_eq!((bytes.burst_time(), packets.burst_time()), (quarter, quarter));
    }

    #[test]
    fn a_refill_time_stands_behind_what_it_refills() {
        let refill = Span::from_nanoseconds(100_000_000);
        let bytes = ByteRate::refilled(Size::from_bytes(1 << 20), refill);
        assert_eq!(
            (bytes.to_string().as_str(), bytes.rate.to_string().as_str()),
            ("1mb/100ms", "83886080bit")
        );
        let packets = PacketRate::refilled(10, refill);
        assert_eq!(
            (packets.to_string().as_str(), packets.rate.to_string().as_str()),
            ("10/100ms", "100pps")
        );
    }
}
