//! Words shared by all that sends and measures: families, directions, transports and rates.

use std::fmt;

/// One megabit per second.
pub const MBIT: u64 = 1_000_000;
/// One gigabit per second.
pub const GBIT: u64 = 1_000 * MBIT;

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both versions.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Bytes of the IP header without options.
    pub const fn header_bytes(self) -> u64 {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// A direction from the limited host's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sent by the host.
    Up,
    /// Sent to the host.
    Down,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Up, Self::Down];

    /// The other one.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The option of `limit set` that limits this direction.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Up => "--up",
            Self::Down => "--down",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// Which traffic is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// From the host's point of view.
    pub direction: Direction,
    /// The IP version.
    pub family: Family,
}

impl Case {
    /// Both directions with both IP versions.
    pub const ALL: [Self; 4] = {
        let ([up_v4, up_v6], [down_v4, down_v6]) =
            (Self::of(Direction::Up), Self::of(Direction::Down));
        [up_v4, up_v6, down_v4, down_v6]
    };

    /// One direction with both IP versions.
    pub const fn of(direction: Direction) -> [Self; 2] {
        [Self { direction, family: Family::V4 }, Self { direction, family: Family::V6 }]
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.direction, self.family)
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP with timestamps, as Linux sends it.
    Tcp,
}

impl Transport {
    /// Bytes of IP and transport headers in a data packet.
    pub const fn header_bytes(self, family: Family) -> u64 {
        let own = match self {
            Self::Udp => 8,
            Self::Tcp => 32,
        };
        own + family.header_bytes()
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// A rate as the agent's command line takes and prints it.
pub fn rate_argument(bits_per_second: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(GBIT, "gbit"), (MBIT, "mbit"), (1_000, "kbit")];
    let fitting = UNITS.into_iter().find(|(size, _)| bits_per_second.is_multiple_of(*size));
    let (size, unit) = fitting.unwrap_or((1, "bit"));
    format!("{}{unit}", bits_per_second / size)
}

/// A quantity for people: four digits and the largest fitting multiple of `unit`.
pub fn scaled(value: f64, unit: &str) -> String {
    const MULTIPLES: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let fitting = MULTIPLES.into_iter().find(|(size, _)| value >= *size * 0.9995);
    let (size, multiple) = fitting.unwrap_or((1.0, ""));
    let value = value / size;
    let digits = match value {
        ..9.9995 => 3,
        ..99.995 => 2,
        _ => 1,
    };
    format!("{value:.digits$} {multiple}{unit}")
}

#[cfg(test)]
mod tests {
    use super::{GBIT, MBIT, rate_argument, scaled};

    #[test]
    fn rates_are_written_as_the_command_line_takes_them() {
        assert_eq!(rate_argument(10 * MBIT), "10mbit");
        assert_eq!(rate_argument(GBIT), "1gbit");
        assert_eq!(rate_argument(1_500_000), "1500kbit");
    }

    #[test]
    fn quantities_choose_the_largest_fitting_multiple() {
        assert_eq!(scaled(999.0, "bit/s"), "999.0 bit/s");
        assert_eq!(scaled(10_012_000.0, "bit/s"), "10.01 Mbit/s");
        assert_eq!(scaled(999_900_000.0, "bit/s"), "1.000 Gbit/s");
    }
}
