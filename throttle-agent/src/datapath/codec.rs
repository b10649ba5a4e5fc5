//! Limits as an operator states them, and as the kernel computes with them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use throttle_common::{
    abi::{self, AskedRates, LimitRates},
    address::{Address, IPV4_BITS},
    rate::Rate,
    units::{BitRate, PacketsPerSecond, Size},
};

use crate::{
    error::{Error, Result},
    policy::{Action, ByteRate, Limit, PacketRate, Rates, Scope},
};

/// The limit in the kernel's form, counted under `index`.
pub(super) fn encode(limit: &Limit, index: u32) -> Result<abi::Limit> {
    let both = |directed: Rates| Rates {
        bytes: directed.bytes.or(limit.total.bytes),
        packets: directed.packets.or(limit.total.packets),
    };
    let directions = [both(limit.up), both(limit.down)];
    let [up, down] = directions.map(|rates| compute(&rates));
    let (prefix, prefix_bits) = encode_prefix(&limit.prefix);
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    let shared = match limit.scope {
        Scope::Each => false,
        Scope::Shared => true,
    };
    match limit.action {
        Action::Drop => {}
    }
    Ok(abi::Limit {
        rates: [up?, down?],
        flags: flag(shared, abi::Limit::SHARED)
            | flag(limit.total.bytes.is_some(), abi::Limit::TOTAL_BYTES)
            | flag(limit.total.packets.is_some(), abi::Limit::TOTAL_PACKETS),
        index,
        asked: directions.map(|rates| asked(&rates)),
        prefix,
        prefix_bits,
        reserved: 0,
    })
}

/// The limit as it was stated.
pub(super) fn decode(limit: &abi::Limit) -> Result<Limit> {
    let total_bytes = limit.has(abi::Limit::TOTAL_BYTES);
    let total_packets = limit.has(abi::Limit::TOTAL_PACKETS);
    let [up, down] = limit.asked.map(|asked| stated(&asked));
    let directed = |rates: Rates| Rates {
        bytes: rates.bytes.filter(|_| !total_bytes),
        packets: rates.packets.filter(|_| !total_packets),
    };
    Ok(Limit {
        prefix: decode_prefix(limit.prefix, limit.prefix_bits)?,
        scope: if limit.has(abi::Limit::SHARED) { Scope::Shared } else { Scope::Each },
        action: Action::Drop,
        up: directed(up),
        down: directed(down),
        total: Rates {
            bytes: up.bytes.filter(|_| total_bytes),
            packets: up.packets.filter(|_| total_packets),
        },
    })
}

/// The prefix in the IPv4-mapped form.
pub(super) fn encode_prefix(prefix: &IpNet) -> (Address, u32) {
    match prefix {
        IpNet::V4(net) => {
            (Address::from_ipv4(net.network().octets()), IPV4_BITS + u32::from(net.prefix_len()))
        }
        IpNet::V6(net) => (Address::from_octets(net.network().octets()), net.prefix_len().into()),
    }
}

/// The prefix from its IPv4-mapped form.
fn decode_prefix(address: Address, bits: u32) -> Result<IpNet> {
    let length = |bits: u32| u8::try_from(bits).ok();
    let net = match decode_address(address) {
        IpAddr::V4(v4) if bits >= IPV4_BITS => {
            length(bits - IPV4_BITS).and_then(|bits| Ipv4Net::new(v4, bits).ok()).map(IpNet::V4)
        }
        IpAddr::V4(_) => length(bits)
            .and_then(|bits| Ipv6Net::new(Ipv6Addr::from(address.octets()), bits).ok())
            .map(IpNet::V6),
        IpAddr::V6(v6) => length(bits).and_then(|bits| Ipv6Net::new(v6, bits).ok()).map(IpNet::V6),
    };
    net.ok_or_else(|| {
        Error::failed(format!("reading a pinned limit: prefix length {bits} is above 128"))
    })
}

/// A host's key.
pub(super) fn encode_address(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(v4) => Address::from_ipv4(v4.octets()),
        IpAddr::V6(v6) => Address::from_octets(v6.octets()),
    }
}

/// The address behind a host's key.
pub(super) fn decode_address(address: Address) -> IpAddr {
    let octets = address.octets();
    if address.is_ipv4() {
        return Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]).into();
    }
    Ipv6Addr::from(octets).into()
}

fn compute(rates: &Rates) -> Result<LimitRates> {
    let bytes = rates.bytes.map(|limit| {
        let (rate, burst) = (limit.rate, limit.burst);
        Rate::bytes(rate.bits_per_second(), burst.bytes()).ok_or_else(|| too_long(rate, burst))
    });
    let packets = rates.packets.map(|limit| {
        let (rate, burst) = (limit.rate, limit.burst_packets);
        Rate::packets(rate.packets_per_second(), burst)
            .ok_or_else(|| too_long(rate, format!("{burst} packets")))
    });
    Ok(LimitRates {
        bytes: bytes.transpose()?.unwrap_or(Rate::UNLIMITED),
        packets: packets.transpose()?.unwrap_or(Rate::UNLIMITED),
    })
}

fn too_long(rate: impl std::fmt::Display, burst: impl std::fmt::Display) -> Error {
    Error::usage(format!(
        "burst {burst} at {rate} lasts longer than two years: give a smaller burst"
    ))
}

fn asked(rates: &Rates) -> AskedRates {
    AskedRates {
        bits_per_second: rates.bytes.map_or(0, |limit| limit.rate.bits_per_second()),
        burst_bytes: rates.bytes.map_or(0, |limit| limit.burst.bytes()),
        packets_per_second: rates.packets.map_or(0, |limit| limit.rate.packets_per_second()),
        burst_packets: rates.packets.map_or(0, |limit| limit.burst_packets),
    }
}

fn stated(asked: &AskedRates) -> Rates {
    Rates {
        bytes: (asked.bits_per_second != 0).then(|| ByteRate {
            rate: BitRate::from_bits_per_second(asked.bits_per_second),
            burst: Size::from_bytes(asked.burst_bytes),
        }),
        packets: (asked.packets_per_second != 0).then(|| PacketRate {
            rate: PacketsPerSecond::from_packets_per_second(asked.packets_per_second),
            burst_packets: asked.burst_packets,
        }),
    }
}

#[cfg(test)]
mod tests;
