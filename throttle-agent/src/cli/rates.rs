//! Options for rates, the same for limits, groups and links.

use clap::Args;

use super::values::packet_burst;
use crate::policy::{Burst, TypedPacketRate, TypedRate, TypedRates};

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
    /// The same for --total alone
    #[arg(long, value_name = "SIZE|TIME", allow_hyphen_values = true)]
    pub total_burst: Option<Burst>,
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
    /// The same for --up-pps alone
    #[arg(long, value_name = "N", value_parser = packet_burst)]
    pub up_pps_burst: Option<u64>,
    /// The same for --down-pps alone
    #[arg(long, value_name = "N", value_parser = packet_burst)]
    pub down_pps_burst: Option<u64>,
    /// The same for --total-pps alone
    #[arg(long, value_name = "N", value_parser = packet_burst)]
    pub total_pps_burst: Option<u64>,
}

/// What stands below the help of every command that takes rates.
pub(super) const UNITS: &str = "
Rates: bit kbit mbit gbit tbit (bits), bps kbps mbps gbps (BYTES per second), or SIZE/TIME.
Sizes: b kb mb gb or kib mib gib (1024). Times: us ms s. Packets: pps kpps mpps, or N/TIME.
With SIZE/TIME and N/TIME, as in 1mib/100ms and 10/10ms, the burst is what stands before the slash.";

impl From<&RateArgs> for TypedRates {
    fn from(args: &RateArgs) -> Self {
        Self {
            up: args.up,
            down: args.down,
            total: args.total,
            burst: args.burst,
            up_burst: args.up_burst,
            down_burst: args.down_burst,
            total_burst: args.total_burst,
            up_pps: args.up_pps,
            down_pps: args.down_pps,
            total_pps: args.total_pps,
            pps_burst: args.pps_burst,
            up_pps_burst: args.up_pps_burst,
            down_pps_burst: args.down_pps_burst,
            total_pps_burst: args.total_pps_burst,
        }
    }
}
