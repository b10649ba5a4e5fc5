//! Rates as they are asked for.

use serde::{Deserialize, Serialize};
use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};
use utoipa::ToSchema;

use crate::{
    error::{Error, Result},
    policy::{ByteRate, PacketRate, Rates, burst, range},
};

/// The rates of one direction, or of both together, as they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object with rates")]
pub struct RatesRequest {
    /// Layer-3 bits per second.
    #[schema(minimum = 8_000, maximum = 400_000_000_000_u64, example = 10_000_000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<u64>,
    /// Burst in bytes, at most what passes in a day; without it, the default burst.
    #[schema(minimum = 1, maximum = 4_320_000_000_000_000_u64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_bytes: Option<u64>,
    /// Instead of `bits_per_second`: the time in which `burst_bytes` come back, in nanoseconds.
    #[schema(minimum = 1_000, maximum = 86_400_000_000_000_u64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refill_time_ns: Option<u64>,
    /// Wire packets per second.
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 2_000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_per_second: Option<u64>,
    /// Burst in packets, at most what passes in a day; without it, the default burst.
    #[schema(minimum = 1, maximum = 86_400_000_000_000_u64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_packets: Option<u64>,
    /// Instead of `packets_per_second`: the time in which `burst_packets` come back, in nanoseconds.
    #[schema(minimum = 1_000, maximum = 86_400_000_000_000_u64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_refill_time_ns: Option<u64>,
}

/// The three sets of rates that limits, groups and links have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) up: &'a RatesRequest,
    pub(super) down: &'a RatesRequest,
    pub(super) total: &'a RatesRequest,
}

/// The same, checked.
pub(super) struct Directions {
    pub(super) up: Rates,
    pub(super) down: Rates,
    pub(super) total: Rates,
}

/// What happens to packets that find no room, as far as the size of a burst matters to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Excess {
    /// They do not wait.
    Leaves,
    /// They wait in fq for as long as the burst lasts.
    Waits,
}

impl Asked<'_> {
    /// Checks all rates.
    pub(super) fn check(&self, excess: Excess, warnings: &mut Vec<String>) -> Result<Directions> {
        self.check_conflicts()?;
        let mut check = |name: &str, rates: &RatesRequest| -> Result<Rates> {
            let rates = rates.check(name)?;
            match excess {
                Excess::Leaves => warn_of_small_bursts(name, &rates, warnings),
                Excess::Waits => {}
            }
            Ok(rates)
        };
        Ok(Directions {
            up: check("up", self.up)?,
            down: check("down", self.down)?,
            total: check("total", self.total)?,
        })
    }

    /// The first option that is given at all.
    pub(super) fn first_option(&self) -> Option<String> {
        self.named().into_iter().find_map(|(name, rates)| rates.first_option(name))
    }

    fn named(&self) -> [(&'static str, &RatesRequest); 3] {
        [("up", self.up), ("down", self.down), ("total", self.total)]
    }

    /// A total and a rate of one direction never stand together for the same kind.
    fn check_conflicts(&self) -> Result<()> {
        for (direction, rates) in [("up", self.up), ("down", self.down)] {
            for (suffix, conflict) in [
                ("", self.total.has_byte_rate() && rates.has_byte_rate()),
                ("-pps", self.total.has_packet_rate() && rates.has_packet_rate()),
            ] {
                if conflict {
                    return Err(Error::usage(format_args!(
                        "--total{suffix} and --{direction}{suffix} conflict: \
                         give either the total, or --up{suffix} and --down{suffix}"
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Directions {
    /// Whether any byte rate is limited.
    pub(super) fn limit_bytes(&self) -> bool {
        self.all().iter().any(|rates| rates.bytes.is_some())
    }

    /// Whether any packet rate is limited.
    pub(super) fn limit_packets(&self) -> bool {
        self.all().iter().any(|rates| rates.packets.is_some())
    }

    /// Refuses rates that limit nothing.
    pub(super) fn check_any(&self, what: &str) -> Result<()> {
        if self.limit_bytes() || self.limit_packets() {
            return Ok(());
        }
        Err(Error::usage(format_args!(
            "a {what} without a rate limits nothing: \
             give --up, --down, --total, --up-pps, --down-pps or --total-pps"
        )))
    }

    /// The byte rates that are limited, by their options.
    pub(super) fn byte_rates(&self) -> impl Iterator<Item = (&'static str, ByteRate)> {
        let named = ["--up", "--down", "--total"].into_iter().zip(self.all());
        named.filter_map(|(option, rates)| Some((option, rates.bytes?)))
    }

    fn all(&self) -> [Rates; 3] {
        [self.up, self.down, self.total]
    }
}

impl RatesRequest {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What it means; `None` when it is unsound.
    #[must_use]
    pub fn rates(&self) -> Option<Rates> {
        self.check("rate").ok()
    }

    fn has_byte_rate(&self) -> bool {
        self.bits_per_second.or(self.refill_time_ns).is_some()
    }

    fn has_packet_rate(&self) -> bool {
        self.packets_per_second.or(self.packets_refill_time_ns).is_some()
    }

    fn first_option(&self, name: &str) -> Option<String> {
        let bytes = self.has_byte_rate() || self.burst_bytes.is_some();
        let suffix = if bytes { "" } else { "-pps" };
        (!self.is_empty()).then(|| format!("--{name}{suffix}"))
    }

    fn check(&self, name: &str) -> Result<Rates> {
        let bytes = self.bytes(&format!("--{name}"))?;
        let packets = self.packets(&format!("--{name}-pps"))?;
        Ok(Rates { bytes, packets })
    }

    fn bytes(&self, option: &str) -> Result<Option<ByteRate>> {
        let burst = self.burst_bytes.map(Size::from_bytes);
        let limit = match (self.bits_per_second, self.refill_time_ns) {
            (None, None) if burst.is_some() => return Err(no_rate("in bytes", option)),
            (None, None) => return Ok(None),
            (Some(rate), None) => {
                let rate = BitRate::from_bits_per_second(rate);
                let burst = burst.unwrap_or_else(|| burst::default_bytes(rate));
                ByteRate { rate, burst, refill: None }
            }
            (None, Some(time_ns)) => {
                let burst = burst.ok_or_else(|| no_burst("burst_bytes", option))?;
                ByteRate::refilled(burst, Span::from_nanoseconds(time_ns))
            }
            (Some(_), Some(_)) => {
                return Err(two_rates(
                    option,
                    ["bits_per_second", "refill_time_ns"],
                    "burst_bytes",
                ));
            }
        };
        range::check_bytes(option, &limit)?;
        Ok(Some(limit))
    }

    fn packets(&self, option: &str) -> Result<Option<PacketRate>> {
        let burst = self.burst_packets;
        let limit = match (self.packets_per_second, self.packets_refill_time_ns) {
            (None, None) if burst.is_some() => return Err(no_rate("in packets", option)),
            (None, None) => return Ok(None),
            (Some(rate), None) => {
                let rate = PacketsPerSecond::from_packets_per_second(rate);
                let burst_packets = burst.unwrap_or_else(|| burst::default_packets(rate));
                PacketRate { rate, burst_packets, refill: None }
            }
            (None, Some(time_ns)) => {
                let burst = burst.ok_or_else(|| no_burst("burst_packets", option))?;
                PacketRate::refilled(burst, Span::from_nanoseconds(time_ns))
            }
            (Some(_), Some(_)) => {
                let both = ["packets_per_second", "packets_refill_time_ns"];
                return Err(two_rates(option, both, "burst_packets"));
            }
        };
        range::check_packets(option, &limit)?;
        Ok(Some(limit))
    }
}

impl From<Rates> for RatesRequest {
    /// What asks for these very rates.
    fn from(rates: Rates) -> Self {
        let (bytes, packets) = (rates.bytes, rates.packets);
        let unless_refilled = |refill: Option<Span>, rate| refill.is_none().then_some(rate);
        Self {
            bits_per_second: bytes
                .and_then(|limit| unless_refilled(limit.refill, limit.rate.bits_per_second())),
            burst_bytes: bytes.map(|limit| limit.burst.bytes()),
            refill_time_ns: bytes.and_then(|limit| limit.refill).map(Span::nanoseconds),
            packets_per_second: packets
                .and_then(|limit| unless_refilled(limit.refill, limit.rate.packets_per_second())),
            burst_packets: packets.map(|limit| limit.burst_packets),
            packets_refill_time_ns: packets.and_then(|limit| limit.refill).map(Span::nanoseconds),
        }
    }
}

/// TCP stalls where a burst lasts for less than its shortest retransmission time-out.
fn warn_of_small_bursts(name: &str, rates: &Rates, warnings: &mut Vec<String>) {
    const STALLS: &str = "the default: TCP between near peers will not reach the rate";
    if let Some(ByteRate { rate, burst, .. }) = rates.bytes {
        let default = burst::default_bytes(rate);
        if burst < default {
            warnings.push(format!("burst {burst} of --{name} {rate} is below {default}, {STALLS}"));
        }
    }
    if let Some(PacketRate { rate, burst_packets, .. }) = rates.packets {
        let default = burst::default_packets(rate);
        if burst_packets < default {
            warnings.push(format!(
                "burst of {burst_packets} packets of --{name}-pps {rate} is below {default}, {STALLS}"
            ));
        }
    }
}

/// A burst stands only beside its rate.
fn no_rate(unit: &str, option: &str) -> Error {
    Error::usage(format_args!("a burst {unit} needs a rate: give {option} too"))
}

/// A refill time stands only beside what it refills.
fn no_burst(key: &str, option: &str) -> Error {
    Error::usage(format_args!("a refill time of {option} needs what it refills: give {key} too"))
}

fn two_rates(option: &str, [rate, refill]: [&str; 2], burst: &str) -> Error {
    Error::usage(format_args!(
        "{rate} and {refill} of {option} conflict: give either {rate}, or {burst} per {refill}"
    ))
}
