//! `limit`.

use clap::{Args, Subcommand};
use ipnet::IpNet;
use throttle_common::units::{BitRate, PacketsPerSecond};

use super::values::{packet_burst, packet_rate, prefix};
use crate::{
    error::{Error, Result},
    policy::{Action, Burst, LimitRequest, RatesRequest, Scope},
};

/// What to do with limits.
#[derive(Debug, Subcommand)]
pub enum LimitCommand {
    /// Set the limit of a prefix, replacing the one it had
    Set(LimitSetArgs),
    /// Delete the limit of a prefix
    #[command(after_help = "Example:\n  throttle-agent limit del 10.0.0.0/24")]
    Del {
        /// The prefix that the limit was set for
        #[arg(value_parser = prefix)]
        prefix: IpNet,
    },
    /// Show the limit of a prefix
    #[command(after_help = "Example:\n  throttle-agent limit show 10.0.0.0/24 --json")]
    Show {
        /// The prefix that the limit was set for
        #[arg(value_parser = prefix)]
        prefix: IpNet,
    },
    /// Show all limits
    List,
}

/// A limit as it is typed.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent limit set 10.0.0.0/24 --down 10mbit --up 2mbit
  throttle-agent limit set 10.0.0.7 --total 5mbit --burst 250ms
  throttle-agent limit set 2001:db8::/48 --scope shared --down 1gbit
  throttle-agent limit set 0.0.0.0/0 --up-pps 2kpps

Rates: bit kbit mbit gbit tbit (bits), bps kbps mbps gbps (BYTES per second).
Sizes: b kb mb gb or kib mib gib (1024). Times: us ms s. Packets: pps kpps mpps.
The longest prefix that holds a host is the one that counts.")]
pub struct LimitSetArgs {
    /// Addresses to limit: 10.0.0.0/24, 2001:db8::/56, or one address (in IPv6, its /64)
    #[arg(value_parser = prefix)]
    pub prefix: IpNet,
    /// Who shares a bucket
    #[arg(long, value_enum, value_name = "SCOPE", default_value_t)]
    pub scope: Scope,
    /// Rate of what hosts send
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub up: Option<BitRate>,
    /// Rate of what is sent to hosts
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub down: Option<BitRate>,
    /// Rate of both together
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub total: Option<BitRate>,
    /// What may pass at once after a pause [default: 250ms, at least 64kb]
    #[arg(long, value_name = "SIZE|TIME", allow_hyphen_values = true)]
    pub burst: Option<Burst>,
    /// The same for --up alone
    #[arg(long, value_name = "SIZE|TIME", allow_hyphen_values = true)]
    pub up_burst: Option<Burst>,
    /// The same for --down alone
    #[arg(long, value_name = "SIZE|TIME", allow_hyphen_values = true)]
    pub down_burst: Option<Burst>,
    /// Packets per second that hosts send
    #[arg(long, value_name = "N", value_parser = packet_rate, allow_hyphen_values = true)]
    pub up_pps: Option<PacketsPerSecond>,
    /// Packets per second that are sent to hosts
    #[arg(long, value_name = "N", value_parser = packet_rate, allow_hyphen_values = true)]
    pub down_pps: Option<PacketsPerSecond>,
    /// Packets per second of both together
    #[arg(long, value_name = "N", value_parser = packet_rate, allow_hyphen_values = true)]
    pub total_pps: Option<PacketsPerSecond>,
    /// Packets that may pass at once after a pause [default: 250ms, at least 45]
    #[arg(long, value_name = "N", value_parser = packet_burst)]
    pub pps_burst: Option<u64>,
    /// What happens to excess
    #[arg(long, value_enum, value_name = "ACTION", default_value_t)]
    pub action: Action,
}

impl LimitSetArgs {
    /// The request that it stands for.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a burst stands without its rate.
    pub fn request(&self) -> Result<LimitRequest> {
        self.check_bursts()?;
        let rates =
            |bits: Option<BitRate>, burst: Option<Burst>, packets: Option<PacketsPerSecond>| {
                let burst_at = |rate| Some(burst.or(self.burst)?.at(rate).bytes());
                RatesRequest {
                    bits_per_second: bits.map(BitRate::bits_per_second),
                    burst_bytes: bits.and_then(burst_at),
                    packets_per_second: packets.map(PacketsPerSecond::packets_per_second),
                    burst_packets: packets.and(self.pps_burst),
                }
            };
        Ok(LimitRequest {
            scope: self.scope,
            action: self.action,
            up: rates(self.up, self.up_burst, self.up_pps),
            down: rates(self.down, self.down_burst, self.down_pps),
            total: rates(self.total, None, self.total_pps),
        })
    }

    fn check_bursts(&self) -> Result<()> {
        let any_rate = self.up.or(self.down).or(self.total).is_some();
        let any_packet_rate = self.up_pps.or(self.down_pps).or(self.total_pps).is_some();
        let lonely = [
            ("--burst", self.burst.is_some() && !any_rate, "--up, --down or --total"),
            ("--up-burst", self.up_burst.is_some() && self.up.is_none(), "--up"),
            ("--down-burst", self.down_burst.is_some() && self.down.is_none(), "--down"),
            (
                "--pps-burst",
                self.pps_burst.is_some() && !any_packet_rate,
                "--up-pps, --down-pps or --total-pps",
            ),
        ];
        match lonely.into_iter().find(|(_, is_lonely, _)| *is_lonely) {
            Some((burst, _, rate)) => {
                Err(Error::usage(format_args!("{burst} needs a rate: give {rate} too")))
            }
            None => Ok(()),
        }
    }
}
