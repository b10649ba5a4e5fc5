//! The rates of a limit, group or link as they are typed, on the command line or in a file.

use super::{Burst, RatesRequest, TypedPacketRate, TypedRate};
use crate::error::{Error, Result};

/// Rates and bursts, each under the name of its option or key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the options, which the help explains")]
pub struct TypedRates {
    pub up: Option<TypedRate>,
    pub down: Option<TypedRate>,
    pub total: Option<TypedRate>,
    pub burst: Option<Burst>,
    pub up_burst: Option<Burst>,
    pub down_burst: Option<Burst>,
    pub total_burst: Option<Burst>,
    pub up_pps: Option<TypedPacketRate>,
    pub down_pps: Option<TypedPacketRate>,
    pub total_pps: Option<TypedPacketRate>,
    pub pps_burst: Option<u64>,
    pub up_pps_burst: Option<u64>,
    pub down_pps_burst: Option<u64>,
    pub total_pps_burst: Option<u64>,
}

/// The requests for up, down and total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RatesRequests {
    pub up: RatesRequest,
    pub down: RatesRequest,
    pub total: RatesRequest,
}

impl TypedRates {
    /// The requests that they stand for.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the options at fault, when a burst stands
    /// without its rate, or conflicts with it.
    pub fn requests(&self) -> Result<RatesRequests> {
        self.check_bursts()?;
        let rates = |name, (rate, burst), (packets, packet_burst)| {
            let mut request = RatesRequest::default();
            let burst: Option<(&str, Burst)> = burst;
            let packet_burst: Option<(&str, u64)> = packet_burst;
            let burst = burst.or(self.burst.map(|burst| ("--burst", burst)));
            let packet_burst = packet_burst.or(self.pps_burst.map(|burst| ("--pps-burst", burst)));
            set_bytes(&mut request, name, rate, burst)?;
            set_packets(&mut request, name, packets, packet_burst)?;
            Ok::<_, Error>(request)
        };
        let up_burst = self.up_burst.map(|burst| ("--up-burst", burst));
        let down_burst = self.down_burst.map(|burst| ("--down-burst", burst));
        let total_burst = self.total_burst.map(|burst| ("--total-burst", burst));
        let up_packets = self.up_pps_burst.map(|burst| ("--up-pps-burst", burst));
        let down_packets = self.down_pps_burst.map(|burst| ("--down-pps-burst", burst));
        let total_packets = self.total_pps_burst.map(|burst| ("--total-pps-burst", burst));
        Ok(RatesRequests {
            up: rates("up", (self.up, up_burst), (self.up_pps, up_packets))?,
            down: rates("down", (self.down, down_burst), (self.down_pps, down_packets))?,
            total: rates("total", (self.total, total_burst), (self.total_pps, total_packets))?,
        })
    }

    fn check_bursts(&self) -> Result<()> {
        let any_rate = self.up.or(self.down).or(self.total).is_some();
        let any_packet_rate = self.up_pps.or(self.down_pps).or(self.total_pps).is_some();
        let (up, down, total) = (self.up.is_some(), self.down.is_some(), self.total.is_some());
        let packets = [self.up_pps, self.down_pps, self.total_pps];
        let [up_pps, down_pps, total_pps] = packets.map(|rate| rate.is_some());
        let bursts = [
            ("--burst", self.burst.is_some(), any_rate, "--up, --down or --total"),
            ("--up-burst", self.up_burst.is_some(), up, "--up"),
            ("--down-burst", self.down_burst.is_some(), down, "--down"),
            ("--total-burst", self.total_burst.is_some(), total, "--total"),
            (
                "--pps-burst",
                self.pps_burst.is_some(),
                any_packet_rate,
                "--up-pps, --down-pps or --total-pps",
            ),
            ("--up-pps-burst", self.up_pps_burst.is_some(), up_pps, "--up-pps"),
            ("--down-pps-burst", self.down_pps_burst.is_some(), down_pps, "--down-pps"),
            ("--total-pps-burst", self.total_pps_burst.is_some(), total_pps, "--total-pps"),
        ];
        match bursts.into_iter().find(|(_, burst, rate, _)| *burst && !rate) {
            Some((burst, .., rate)) => {
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
    burst: Option<(&str, u64)>,
) -> Result<()> {
    match (rate, burst) {
        (None, _) => {}
        (Some(TypedPacketRate::Rate(rate)), burst) => {
            request.packets_per_second = Some(rate.packets_per_second());
            request.burst_packets = burst.map(|(_, burst)| burst);
        }
        (Some(TypedPacketRate::Refill(packets, time)), None) => {
            request.burst_packets = Some(packets);
            request.packets_refill_time_ns = Some(time.nanoseconds());
        }
        (Some(rate @ TypedPacketRate::Refill(packets, _)), Some((option, _))) => {
            return Err(two_bursts(option, &format!("--{name}-pps {rate}"), packets));
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
