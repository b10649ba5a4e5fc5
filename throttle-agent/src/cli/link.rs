//! `link`.

use clap::{Args, Subcommand};

use super::rates::{RateArgs, UNITS};
use crate::{
    error::Result,
    policy::{LinkRequest, ParentAction, RatesRequests, TypedRates, overhead},
};

/// What to do with the limits of whole links.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  throttle-agent link set eth1 --down 1gbit --up 100mbit
  throttle-agent link list")]
pub enum LinkCommand {
    /// Set the limits of a whole interface, replacing those it had
    Set(Box<LinkSetArgs>),
    /// Show the limits of an interface
    #[command(after_help = "Examples:\n  throttle-agent link show eth1 --json")]
    Show {
        /// Name of the interface
        #[arg(value_name = "IF")]
        interface: String,
    },
    /// Show the limits of all interfaces
    #[command(after_help = "Examples:\n  throttle-agent link list --json | jq .[].interface")]
    List,
}

/// The limits of a link as they are typed.
#[derive(Debug, Clone, Args)]
#[command(after_help = format!("\
Examples:
  throttle-agent link set eth1 --down 1gbit --up 100mbit
  throttle-agent link set wan0 --down 50mbit --overhead 44
  throttle-agent link set eth1                  nothing of the link is limited any more

A packet passes only where its limit, its group and its link have room.
{UNITS}"))]
pub struct LinkSetArgs {
    /// Name of the interface
    #[arg(value_name = "IF")]
    pub interface: String,
    /// Rates.
    #[command(flatten)]
    pub rates: RateArgs,
    /// Count so many bytes on top of the layer-3 length of every packet of the link
    #[arg(long, value_name = "BYTES", value_parser = overhead, default_value = "0",
          allow_hyphen_values = true)]
    pub overhead: u64,
    /// What happens to packets that the link has no room for
    #[arg(long, value_enum, value_name = "ACTION", default_value_t)]
    pub action: ParentAction,
}

impl LinkSetArgs {
    /// The request that it stands for.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a burst stands without its rate, or conflicts
    /// with it.
    pub fn request(&self) -> Result<LinkRequest> {
        let RatesRequests { up, down, total } = TypedRates::from(&self.rates).requests()?;
        Ok(LinkRequest { action: self.action, up, down, total, overhead_bytes: self.overhead })
    }
}
