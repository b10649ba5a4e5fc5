//! Rates as they are stated, as they are asked for in a map, and as the kernel computes with them.

use throttle_common::{
    abi::{self, AskedRates, LimitRates},
    rate::Rate,
    units::{BitRate, PacketsPerSecond, Size, Span},
};

use crate::{
    error::{Error, Result},
    policy::{ByteRate, PacketRate, Rates},
};

/// The rates of a limit in every form that its map entry holds.
pub(super) struct Stated {
    pub(super) rates: [LimitRates; 2],
    pub(super) asked: [AskedRates; 2],
    /// Which totals there are.
    pub(super) flags: u32,
    bytes: [Option<ByteRate>; 2],
}

/// Works out rates per direction and total; `mark` says from which debt on a rate marks.
pub(super) fn stated(
    directions: [Rates; 2],
    total: Rates,
    mark: impl Fn(Rate) -> Rate,
) -> Result<Stated> {
    let directions = directions.map(|directed| Rates {
        bytes: directed.bytes.or(total.bytes),
        packets: directed.packets.or(total.packets),
    });
    let [up, down] = directions.map(|rates| compute(&rates, &mark));
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    Ok(Stated {
        rates: [up?, down?],
        asked: directions.map(|rates| asked(&rates)),
        flags: flag(total.bytes.is_some(), abi::Limit::TOTAL_BYTES)
            | flag(total.packets.is_some(), abi::Limit::TOTAL_PACKETS),
        bytes: directions.map(|rates| rates.bytes),
    })
}

impl Stated {
    /// What so many bytes last at the byte rate of each direction, in ticks. A total's bucket is that
    /// of both directions, and granted with the first packet.
    pub(super) fn one_time_ticks(&self, bytes: u64) -> Result<[u64; 2]> {
        if bytes == 0 {
            return Ok([0; 2]);
        }
        let mut ticks = [0; 2];
        for (ticks, stated) in ticks.iter_mut().zip(self.bytes) {
            if let Some(limit) = stated {
                *ticks = bytes_rate(&limit, bytes)
                    .ok_or_else(|| too_long("one-time burst", limit.rate, Size::from_bytes(bytes)))?
                    .burst_ticks;
            }
        }
        if self.flags & abi::Limit::TOTAL_BYTES != 0 {
            ticks[1] = 0;
        }
        Ok(ticks)
    }
}

/// The rates of a limit as they were stated: per direction, and total.
pub(super) fn read(limit: &abi::Limit) -> ([Rates; 2], Rates) {
    let total_bytes = limit.has(abi::Limit::TOTAL_BYTES);
    let total_packets = limit.has(abi::Limit::TOTAL_PACKETS);
    let [up, down] = limit.asked.map(|asked| of_asked(&asked));
    let directed = |rates: Rates| Rates {
        bytes: rates.bytes.filter(|_| !total_bytes),
        packets: rates.packets.filter(|_| !total_packets),
    };
    let total = Rates {
        bytes: up.bytes.filter(|_| total_bytes),
        packets: up.packets.filter(|_| total_packets),
    };
    ([directed(up), directed(down)], total)
}

fn compute(rates: &Rates, mark: &impl Fn(Rate) -> Rate) -> Result<LimitRates> {
    let bytes = rates.bytes.map(|limit| {
        let burst = limit.burst;
        bytes_rate(&limit, burst.bytes()).ok_or_else(|| too_long("burst", limit.rate, burst))
    });
    let packets = rates.packets.map(|limit| {
        let PacketRate { rate, burst_packets, refill } = limit;
        let computed = match refill {
            Some(time) => Rate::refilled(burst_packets, time.nanoseconds()),
            None => Rate::packets(rate.packets_per_second(), burst_packets),
        };
        computed.ok_or_else(|| too_long("burst", rate, format!("{burst_packets} packets")))
    });
    Ok(LimitRates {
        bytes: bytes.transpose()?.map_or(Rate::UNLIMITED, mark),
        packets: packets.transpose()?.map_or(Rate::UNLIMITED, mark),
    })
}

/// The rate with a burst of so many bytes.
fn bytes_rate(limit: &ByteRate, burst_bytes: u64) -> Option<Rate> {
    match limit.refill {
        None => Rate::bytes(limit.rate.bits_per_second(), burst_bytes),
        Some(time) => {
            Rate::refilled(limit.burst.bytes(), time.nanoseconds())?.with_burst_units(burst_bytes)
        }
    }
}

fn too_long(what: &str, rate: impl std::fmt::Display, burst: impl std::fmt::Display) -> Error {
    Error::usage(format!(
        "{what} {burst} at {rate} lasts longer than two years: give a smaller one"
    ))
}

fn asked(rates: &Rates) -> AskedRates {
    let refill = |refill: Option<Span>| refill.map_or(0, Span::nanoseconds);
    AskedRates {
        bits_per_second: rates.bytes.map_or(0, |limit| limit.rate.bits_per_second()),
        burst_bytes: rates.bytes.map_or(0, |limit| limit.burst.bytes()),
        refill_ns: refill(rates.bytes.and_then(|limit| limit.refill)),
        packets_per_second: rates.packets.map_or(0, |limit| limit.rate.packets_per_second()),
        burst_packets: rates.packets.map_or(0, |limit| limit.burst_packets),
        packets_refill_ns: refill(rates.packets.and_then(|limit| limit.refill)),
    }
}

fn of_asked(asked: &AskedRates) -> Rates {
    let refill = |ns: u64| (ns != 0).then(|| Span::from_nanoseconds(ns));
    Rates {
        bytes: (asked.bits_per_second != 0).then(|| ByteRate {
            rate: BitRate::from_bits_per_second(asked.bits_per_second),
            burst: Size::from_bytes(asked.burst_bytes),
            refill: refill(asked.refill_ns),
        }),
        packets: (asked.packets_per_second != 0).then(|| PacketRate {
            rate: PacketsPerSecond::from_packets_per_second(asked.packets_per_second),
            burst_packets: asked.burst_packets,
            refill: refill(asked.packets_refill_ns),
        }),
    }
}
