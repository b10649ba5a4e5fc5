//! `group`.

use clap::{Args, Subcommand};

use super::rates::{RateArgs, UNITS};
use crate::{
    error::Result,
    policy::{GroupName, GroupRequest, ParentAction, RatesRequests, TypedRates},
};

/// What to do with groups.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  throttle-agent group set acme --down 100mbit
  throttle-agent limit set 10.0.1.0/24 --down 10mbit --group acme
  throttle-agent group list")]
pub enum GroupCommand {
    /// Set the rates of a group, replacing those it had
    Set(Box<GroupSetArgs>),
    /// Delete a group that no limit names
    #[command(visible_alias = "delete", after_help = "Examples:\n  throttle-agent group del acme")]
    Del {
        /// Name of the group
        name: GroupName,
    },
    /// Show a group
    #[command(after_help = "Examples:\n  throttle-agent group show acme --json")]
    Show {
        /// Name of the group
        name: GroupName,
    },
    /// Show all groups
    #[command(after_help = "Examples:\n  throttle-agent group list --json | jq .[].name")]
    List,
}

/// A group as it is typed.
#[derive(Debug, Clone, Args)]
#[command(after_help = format!("\
Examples:
  throttle-agent group set acme --down 100mbit --up 20mbit
  throttle-agent limit set 10.0.1.0/24 --down 10mbit --group acme
  throttle-agent limit set 10.0.2.0/24 --down 10mbit --group acme

A packet of a member passes only where both its limit and its group have room.
{UNITS}"))]
pub struct GroupSetArgs {
    /// Name of the group
    pub name: GroupName,
    /// Rates.
    #[command(flatten)]
    pub rates: RateArgs,
    /// What happens to packets that the group has no room for
    #[arg(long, value_enum, value_name = "ACTION", default_value_t)]
    pub action: ParentAction,
}

impl GroupSetArgs {
    /// The request that it stands for.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a burst stands without its rate, or conflicts
    /// with it.
    pub fn request(&self) -> Result<GroupRequest> {
        let RatesRequests { up, down, total } = TypedRates::from(&self.rates).requests()?;
        Ok(GroupRequest { action: self.action, up, down, total })
    }
}
