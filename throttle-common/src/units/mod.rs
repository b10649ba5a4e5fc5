//! Rates, sizes and times as an operator writes them, each in a type of its own.
//!
//! The grammar is that of tc(8), lower case only: rates in bits `bit kbit mbit gbit tbit` (powers of
//! 1000) or in bytes per second `bps kbps mbps gbps`, sizes `b kb mb gb` or `kib mib gib` (powers of
//! 1024), times `us ms s`, packets `pps kpps mpps`. Decimal fractions are exact or refused. A number
//! without a unit is refused, as are capitals, because both can be read two ways.
//!
//! `Display` prints the normal form, which parses to the same value.

mod decimal;
mod error;
mod packets;
mod rate;
mod scale;
mod size;
mod span;

pub use error::{ParseError, Problem, Quantity};
pub use packets::PacketsPerSecond;
pub use rate::BitRate;
pub use size::Size;
pub use span::Span;

#[cfg(test)]
mod tests;
