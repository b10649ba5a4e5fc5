//! What an operator asks for, and the limit that it means.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::units::{BitRate, PacketsPerSecond, Size};

use super::{Action, ByteRate, Limit, PacketRate, Rates, Scope, burst, range};
use crate::error::{Error, Result};

/// A limit as it is asked for: the body of `PUT /v1/limits/PREFIX`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitRequest {
    /// Who shares a bucket.
    pub scope: Scope,
    /// What happens to excess.
    pub action: Action,
    /// Packets sent by hosts.
    pub up: RatesRequest,
    /// Packets sent to hosts.
    pub down: RatesRequest,
    /// Packets of both directions together.
    pub total: RatesRequest,
}

/// The rates of one direction, or of both together, as they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RatesRequest {
    /// Layer-3 bits per second.
    pub bits_per_second: Option<u64>,
    /// Burst in bytes; without it, the default burst.
    pub burst_bytes: Option<u64>,
    /// Wire packets per second.
    pub packets_per_second: Option<u64>,
    /// Burst in packets; without it, the default burst.
    pub burst_packets: Option<u64>,
}

/// A request that was found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The limit it means.
    pub limit: Limit,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

impl LimitRequest {
    /// Fills in defaults and checks every value.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the options at fault, when nothing is
    /// limited, a total and a directional rate conflict, a burst has no rate, or a value is out of
    /// range.
    pub fn check(&self, prefix: IpNet) -> Result<Checked> {
        self.check_conflicts()?;
        let mut warnings = Vec::new();
        let limit = Limit {
            prefix,
            scope: self.scope,
            action: self.action,
            up: self.up.check("up", &mut warnings)?,
            down: self.down.check("down", &mut warnings)?,
            total: self.total.check("total", &mut warnings)?,
        };
        if [limit.up, limit.down, limit.total].iter().all(Rates::is_empty) {
            return Err(Error::usage(format_args!(
                "limit {prefix} limits nothing: \
                 give --up, --down, --total, --up-pps, --down-pps or --total-pps"
            )));
        }
        Ok(Checked { limit, warnings })
    }

    /// A total and a rate of one direction never stand together for the same kind.
    fn check_conflicts(&self) -> Result<()> {
        for (direction, rates) in [("up", self.up), ("down", self.down)] {
            let both =
                |of: fn(&RatesRequest) -> Option<u64>| of(&self.total).and(of(&rates)).is_some();
            for (suffix, conflict) in [
                ("", both(|rates| rates.bits_per_second)),
                ("-pps", both(|rates| rates.packets_per_second)),
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

impl RatesRequest {
    fn check(&self, direction: &str, warnings: &mut Vec<String>) -> Result<Rates> {
        Ok(Rates {
            bytes: self.check_bytes(direction, warnings)?,
            packets: self.check_packets(direction, warnings)?,
        })
    }

    fn check_bytes(&self, direction: &str, warnings: &mut Vec<String>) -> Result<Option<ByteRate>> {
        let option = format!("--{direction}");
        let Some(rate) = self.bits_per_second.map(BitRate::from_bits_per_second) else {
            return no_burst(self.burst_bytes, "in bytes", &option);
        };
        range::check_rate(&option, rate)?;
        let default = burst::default_bytes(rate);
        let burst = self.burst_bytes.map_or(default, Size::from_bytes);
        range::check_burst(&option, rate, burst)?;
        if burst < default {
            warnings.push(format!(
                "burst {burst} of {option} {rate} is below {default}, the default: \
                 TCP between near peers will not reach the rate"
            ));
        }
        Ok(Some(ByteRate { rate, burst }))
    }

    fn check_packets(
        &self,
        direction: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Option<PacketRate>> {
        let option = format!("--{direction}-pps");
        let Some(rate) = self.packets_per_second.map(PacketsPerSecond::from_packets_per_second)
        else {
            return no_burst(self.burst_packets, "in packets", &option);
        };
        range::check_packet_rate(&option, rate)?;
        let default_packets = burst::default_packets(rate);
        let burst_packets = self.burst_packets.unwrap_or(default_packets);
        range::check_packet_burst(&option, rate, burst_packets)?;
        if burst_packets < default_packets {
            warnings.push(format!(
                "burst of {burst_packets} packets of {option} {rate} is below {default_packets}, \
                 the default: TCP between near peers will not reach the rate"
            ));
        }
        Ok(Some(PacketRate { rate, burst_packets }))
    }
}

/// A burst stands only beside its rate.
fn no_burst<T>(burst: Option<u64>, unit: &str, option: &str) -> Result<Option<T>> {
    match burst {
        Some(_) => {
            Err(Error::usage(format_args!("a burst {unit} needs a rate: give {option} too")))
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
