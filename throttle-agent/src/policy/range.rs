//! What rates and bursts a bucket can be given.

use std::fmt::Display;

use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

use crate::error::{Error, Result};

const MIN_RATE: BitRate = BitRate::from_bits_per_second(8_000);
const MAX_RATE: BitRate = BitRate::from_bits_per_second(400_000_000_000);
const MIN_PACKET_RATE: PacketsPerSecond = PacketsPerSecond::from_packets_per_second(1);
const MAX_PACKET_RATE: PacketsPerSecond = PacketsPerSecond::from_packets_per_second(1_000_000_000);

/// A burst that takes longer than a day to pay back is a typing error.
const MAX_BURST_TIME: Span = Span::from_nanoseconds(86_400 * Span::NANOSECONDS_PER_SECOND);

/// Checks the rate of option `option`.
pub(super) fn check_rate(option: impl Display, rate: BitRate) -> Result<()> {
    if (MIN_RATE..=MAX_RATE).contains(&rate) {
        return Ok(());
    }
    Err(Error::usage(format_args!("{option} {rate} is out of range: {MIN_RATE} to {MAX_RATE}")))
}

/// Checks the packet rate of option `option`.
pub(super) fn check_packet_rate(option: impl Display, rate: PacketsPerSecond) -> Result<()> {
    if (MIN_PACKET_RATE..=MAX_PACKET_RATE).contains(&rate) {
        return Ok(());
    }
    Err(Error::usage(format_args!(
        "{option} {rate} is out of range: {MIN_PACKET_RATE} to {MAX_PACKET_RATE}"
    )))
}

/// Checks the burst that belongs to the rate of option `option`.
pub(super) fn check_burst(option: impl Display, rate: BitRate, burst: Size) -> Result<()> {
    let most = rate.size_in(MAX_BURST_TIME);
    if (Size::from_bytes(1)..=most).contains(&burst) {
        return Ok(());
    }
    Err(Error::usage(format_args!(
        "burst {burst} of {option} {rate} is out of range: 1b to {}b, which is a day at the rate",
        most.bytes()
    )))
}

/// Checks the burst that belongs to the packet rate of option `option`.
pub(super) fn check_packet_burst(
    option: impl Display,
    rate: PacketsPerSecond,
    burst_packets: u64,
) -> Result<()> {
    let most = rate.packets_in(MAX_BURST_TIME);
    if (1..=most).contains(&burst_packets) {
        return Ok(());
    }
    Err(Error::usage(format_args!(
        "burst of {burst_packets} packets of {option} {rate} is out of range: \
         1 to {most} packets, which is a day at the rate"
    )))
}
