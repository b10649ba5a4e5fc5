//! What rates and bursts a bucket can be given.

use std::fmt::Display;

use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

use super::{ByteRate, PacketRate};
use crate::error::{Error, Result};

const MIN_RATE: BitRate = BitRate::from_bits_per_second(8_000);
const MAX_RATE: BitRate = BitRate::from_bits_per_second(400_000_000_000);
const MIN_PACKET_RATE: PacketsPerSecond = PacketsPerSecond::from_packets_per_second(1);
const MAX_PACKET_RATE: PacketsPerSecond = PacketsPerSecond::from_packets_per_second(1_000_000_000);

/// A burst that takes longer than a day to pay back is a typing error.
const DAY: Span = Span::from_nanoseconds(86_400 * Span::NANOSECONDS_PER_SECOND);

/// The resolution of times as they are typed.
const MIN_TIME: Span = Span::from_nanoseconds(1_000);

const MAX_PACKET_UNIT: Size = Size::from_bytes(64 * 1024);

/// Checks the rate of option `option` with its burst.
pub(super) fn check_bytes(option: &str, limit: &ByteRate) -> Result<()> {
    let ByteRate { rate, burst, refill } = *limit;
    let Some(time) = refill else {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(out_of_range(option, rate, MIN_RATE, MAX_RATE));
        }
        return check_burst("burst", option, rate, burst);
    };
    check_refill_time(option, time)?;
    let bit_nanoseconds = u128::from(burst.bytes()) * 8 * u128::from(Span::NANOSECONDS_PER_SECOND);
    let (min, max) = (MIN_RATE.bits_per_second(), MAX_RATE.bits_per_second());
    if is_between(bit_nanoseconds, time, min, max) {
        return Ok(());
    }
    Err(out_of_range(option, limit, MIN_RATE, MAX_RATE))
}

/// Checks the packet rate of option `option` with its burst.
pub(super) fn check_packets(option: &str, limit: &PacketRate) -> Result<()> {
    let PacketRate { rate, burst_packets, refill } = *limit;
    let Some(time) = refill else {
        if !(MIN_PACKET_RATE..=MAX_PACKET_RATE).contains(&rate) {
            return Err(out_of_range(option, rate, MIN_PACKET_RATE, MAX_PACKET_RATE));
        }
        return check_packet_burst(option, rate, burst_packets);
    };
    check_refill_time(option, time)?;
    let packet_nanoseconds = u128::from(burst_packets) * u128::from(Span::NANOSECONDS_PER_SECOND);
    let (min, max) = (MIN_PACKET_RATE.packets_per_second(), MAX_PACKET_RATE.packets_per_second());
    if is_between(packet_nanoseconds, time, min, max) {
        return Ok(());
    }
    Err(out_of_range(option, limit, MIN_PACKET_RATE, MAX_PACKET_RATE))
}

/// Checks a `what` that the byte rate of option `option` has to pay back.
pub(super) fn check_burst(what: &str, option: &str, rate: BitRate, burst: Size) -> Result<()> {
    let most = rate.size_in(DAY);
    if (Size::from_bytes(1)..=most).contains(&burst) {
        return Ok(());
    }
    Err(Error::usage(format_args!(
        "{what} {burst} of {option} {rate} is out of range: 1b to {}b, which is a day at the rate",
        most.bytes()
    )))
}

/// Checks the bytes that count as one packet.
pub(super) fn check_packet_unit(unit: Size) -> Result<()> {
    let least = Size::from_bytes(1);
    if (least..=MAX_PACKET_UNIT).contains(&unit) {
        return Ok(());
    }
    Err(out_of_range("--packet-unit", unit, least, MAX_PACKET_UNIT))
}

fn check_packet_burst(option: &str, rate: PacketsPerSecond, burst_packets: u64) -> Result<()> {
    let most = rate.packets_in(DAY);
    if (1..=most).contains(&burst_packets) {
        return Ok(());
    }
    Err(Error::usage(format_args!(
        "burst of {burst_packets} packets of {option} {rate} is out of range: \
         1 to {most} packets, which is a day at the rate"
    )))
}

fn check_refill_time(option: &str, time: Span) -> Result<()> {
    check_time(&format!("refill time {time} of {option}"), time)
}

/// Checks the `time` that the words in `what` name.
pub(super) fn check_time(what: &str, time: Span) -> Result<()> {
    if (MIN_TIME..=DAY).contains(&time) {
        return Ok(());
    }
    Err(Error::usage(format_args!("{what} is out of range: {MIN_TIME} to {DAY}, which is a day")))
}

/// Whether `unit_nanoseconds` in each `time` is a rate of `min` to `max` units per second, exactly.
fn is_between(unit_nanoseconds: u128, time: Span, min: u64, max: u64) -> bool {
    let at = |rate: u64| u128::from(rate) * u128::from(time.nanoseconds());
    (at(min)..=at(max)).contains(&unit_nanoseconds)
}

fn out_of_range(option: &str, value: impl Display, min: impl Display, max: impl Display) -> Error {
    Error::usage(format_args!("{option} {value} is out of range: {min} to {max}"))
}
