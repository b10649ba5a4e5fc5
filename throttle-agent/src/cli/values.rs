//! Parsers of values whose types do not parse themselves.

use std::net::IpAddr;

use ipnet::IpNet;
use throttle_common::units::{PacketsPerSecond, ParseError};

use crate::policy::{parse_host, parse_prefix};

/// A prefix to limit.
pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    parse_prefix(text).map_err(|error| error.to_string())
}

/// The address of one host.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    parse_host(text).map_err(|error| error.to_string())
}

/// A burst in packets.
pub(super) fn packet_burst(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("burst {text:?} is no number of packets: write 45"))
}

/// Packets per second; the option's name is unit enough for a bare number.
pub(super) fn packet_rate(text: &str) -> Result<PacketsPerSecond, ParseError> {
    match text.parse() {
        Ok(number) => Ok(PacketsPerSecond::from_packets_per_second(number)),
        Err(_) => text.parse(),
    }
}
