//! `host`.

use clap::Subcommand;

use super::values::host;
use crate::{policy::TypedPrefix, telemetry::HostSort};

/// What to show of hosts.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  throttle-agent host list --top 10 --sort down
  throttle-agent host show 10.0.0.7")]
pub enum HostCommand {
    /// Show which limit holds a host and why, what is in its buckets, and its counters
    #[command(after_help = "\
Examples:
  throttle-agent host show 10.0.0.7
  throttle-agent host show 2001:db8::7 --json | jq .down.bits_per_second
  throttle-agent host show 10.0.0.7 --json | jq '.levels[] | {level, name, down}'")]
    Show {
        /// The host's address; of IPv6, any address in its host prefix
        #[arg(value_parser = host, value_name = "IP")]
        address: TypedPrefix,
    },
    /// Show hosts, largest first
    #[command(after_help = "\
Examples:
  throttle-agent host list --top 10
  throttle-agent host list --sort excess --json")]
    List {
        /// At most so many; up to 1000 are as of the last second's sample
        #[arg(long, value_name = "N")]
        top: Option<usize>,
        /// In this order
        #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
        sort: HostSort,
    },
}
