//! Options for rates, the same for limits, groups and links.

use clap::Args;

use super::values::packet_burst;
use crate::{
    error::{Error, Result},
    policy::{Burst, RatesRequest, TypedPacketRate, TypedRate},
};

/// Rates as they are typed.
#[derive(Debug, Clone, Args)]
pub struct RateArgs {
    /// Rate of what hosts send
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub up: Option<TypedRate>,
    /// Rate of what is sent to hosts
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub down: Option<TypedRate>,
    /// Rate of both together
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub total: Option<TypedRate>,
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
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub up_pps: Option<TypedPacketRate>,
    /// Packets per second that are sent to hosts
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub down_pps: Option<TypedPacketRate>,
    /// Packets per second of both together
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub total_pps: Option<TypedPacketRate>,
    /// Packets that may pass at once after a pause [default: 250ms, at least 45]
    #[arg(long, value_name = "N", value_parser = packet_burst)]
    pub pps_burst: Option<u64>,
}

/// What stands below the help of every command that takes rates.
pub(super) const UNITS: &str = "
Rates: bit kbit mbit gbit tbit (bits), bps kbps mbps gbps (BYTES per second), or SIZE/TIME.
Sizes: b kb mb gb or kib mib gib (1024). Times: us ms s. Packets: pps kpps mpps, or N/TIME.
With SIZE/TIME and N/TIME, as in 1mib/100ms and 10/10ms, the burst is what stands before the slash.";

/// The requests for up, down and total.
pub(super) struct RatesRequests {
    pub(super) up: RatesRequest,
    pub(super) down: RatesRequest,
    pub(super) total: RatesRequest,
}

impl RateArgs {
    /// The requests that they stand for.
    pub(super) fn requests(&self) -> Result<RatesRequests> {
        self.check_bursts()?;
        let rates = |name, rate, burst: Option<(&str, Burst)>, packets| {
            let mut request = RatesRequest::default();
            let burst = burst.or(self.burst.map(|burst| ("--burst", burst)));
            set_bytes(&mut request, name, rate, burst)?;
            set_packets(&mut request, name, packets, self.pps_burst)?;
            Ok::<_, Error>(request)
        };
        let up_burst = self.up_burst.map(|burst| ("--up-burst", burst));
        let down_burst = self.down_burst.map(|burst| ("--down-burst", burst));
        Ok(RatesRequests {
            up: rates("up", self.up, up_burst, self.up_pps)?,
            down: rates("down", self.down, down_burst, self.down_pps)?,
            total: rates("total", self.total, None, self.total_pps)?,
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

fn set_bytes(
    request: &mut RatesRequest,
    name: &str,
    rate: Option<TypedRate>,
    burst: Option<(&str, Burst)>,
) -> Result<()> {
    match (rate, burst) {
        (None, _) => {}
        (Some(TypedRate::Rate(rate)), burst) => {
            request.bits_per_second = Some(rate.bits_per_second());
            request.burst_bytes = burst.map(|(_, burst)| burst.at(rate).bytes());
        }
        (Some(TypedRate::Refill(size, time)), None) => {
            request.burst_bytes = Some(size.bytes());
            request.refill_time_ns = Some(time.nanoseconds());
        }
        (Some(rate @ TypedRate::Refill(size, _)), Some((option, _))) => {
            return Err(two_bursts(option, &format!("--{name} {rate}"), size));
        }
    }
    Ok(())
}

fn set_packets(
    request: &mut RatesRequest,
    name: &str,
    rate: Option<TypedPacketRate>,
    burst: Option<u64>,
) -> Result<()> {
    match (rate, burst) {
        (None, _) => {}
        (Some(TypedPacketRate::Rate(rate)), burst) => {
            request.packets_per_second = Some(rate.packets_per_second());
            request.burst_packets = burst;
        }
        (Some(TypedPacketRate::Refill(packets, time)), None) => {
            request.burst_packets = Some(packets);
            request.packets_refill_time_ns = Some(time.nanoseconds());
        }
        (Some(rate @ TypedPacketRate::Refill(packets, _)), Some(_)) => {
            return Err(two_bursts("--pps-burst", &format!("--{name}-pps {rate}"), packets));
        }
    }
    Ok(())
}

fn two_bursts(option: &str, rate: &str, burst: impl std::fmt::Display) -> Error {
    Error::usage(format_args!(
        "{option} and {rate} conflict: the burst of such a rate is what stands before the slash, \
         {burst} here"
    ))
}
