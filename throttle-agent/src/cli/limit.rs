//! `limit`.

use clap::{Args, Subcommand};
use throttle_common::units::Size;

use super::{
    rates::{RateArgs, UNITS},
    values::prefix,
};
use crate::{
    error::Result,
    policy::{
        Action, GroupName, LimitRequest, Match, RatesRequests, Scope, TypedPrefix, TypedRates,
    },
};

/// What to do with limits.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  throttle-agent limit set 10.0.0.0/24 --down 10mbit --up 2mbit
  throttle-agent limit list
  throttle-agent limit del 10.0.0.0/24")]
pub enum LimitCommand {
    /// Set the limit of a prefix, replacing the one it had
    Set(Box<LimitSetArgs>),
    /// Delete the limit of a prefix
    #[command(
        visible_alias = "delete",
        after_help = "\
Examples:
  throttle-agent limit del 10.0.0.0/24
  throttle-agent limit del 10.0.0.0/8 --match peer"
    )]
    Del(LimitName),
    /// Show the limit of a prefix
    #[command(after_help = "\
Examples:
  throttle-agent limit show 10.0.0.0/24 --json
  throttle-agent limit show 10.0.0.0/8 --match peer")]
    Show(LimitName),
    /// Show all limits
    #[command(after_help = "Examples:\n  throttle-agent limit list --json | jq .[].prefix")]
    List,
}

/// Which limit.
#[derive(Debug, Clone, Args)]
pub struct LimitName {
    /// The prefix that the limit was set for
    #[arg(value_parser = prefix)]
    pub prefix: TypedPrefix,
    /// Whose address the prefix is compared with
    #[arg(long = "match", value_enum, value_name = "WHOSE", default_value_t)]
    pub matches: Match,
}

/// A limit as it is typed.
#[derive(Debug, Clone, Args)]
#[command(after_help = format!("\
Examples:
  throttle-agent limit set 10.0.0.0/24 --down 10mbit --up 2mbit
  throttle-agent limit set 10.0.0.7 --total 5mbit --burst 250ms
  throttle-agent limit set 2001:db8::/48 --scope shared --down 1gbit
  throttle-agent limit set 0.0.0.0/0 --up-pps 2kpps --packet-unit 1500b
  throttle-agent limit set 10.0.0.0/24 --down 1mib/100ms --one-time-burst 50mib --group acme
  throttle-agent limit set 10.0.0.0/24 --down 10mbit --action pace:20ms
  throttle-agent limit set 192.0.2.0/24 --match peer --action pass

Actions, for packets that a limit has no room for:
  drop        drop them
  ecn         drop them; from half of the burst on, mark those of willing senders (CE)
  dscp:CLASS  let them pass in another class of service: cs0 to cs7, af11 to af43, ef, va, le, 0 to 63
  mark:N      let them pass with this mark (skb mark), for other programs to act on
  pace        let them wait in fq until they conform, at most as long as the burst lasts; only
              where packets leave by a link: --down of a far link, --up of a near one
  pace:TIME   the same, and mark willing senders (CE) that would wait longer than this
  observe     let them pass, and count them
  pass        limit nothing: the prefix is exempt, from its group and link as well
{UNITS}
The longest prefix that holds a host is the one that counts."))]
pub struct LimitSetArgs {
    /// Addresses to limit: 10.0.0.0/24, 2001:db8::/56, or one address (in IPv6, its host prefix)
    #[arg(value_parser = prefix)]
    pub prefix: TypedPrefix,
    /// Whose address the prefix is compared with
    #[arg(long = "match", value_enum, value_name = "WHOSE", default_value_t)]
    pub matches: Match,
    /// Who shares a bucket
    #[arg(long, value_enum, value_name = "SCOPE", default_value_t)]
    pub scope: Scope,
    /// Charge the buckets of this group as well
    #[arg(long, value_name = "NAME")]
    pub group: Option<GroupName>,
    /// Rates.
    #[command(flatten)]
    pub rates: RateArgs,
    /// Bytes granted before the bucket starts to count, once
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub one_time_burst: Option<Size>,
    /// Count a packet once for each so many bytes that it begins
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub packet_unit: Option<Size>,
    /// What happens to excess: drop, ecn, dscp:CLASS, mark:N, pace, pace:TIME, observe or pass
    #[arg(long, value_name = "ACTION", default_value_t)]
    pub action: Action,
}

impl LimitSetArgs {
    /// The request that it stands for.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a burst stands without its rate, or conflicts
    /// with it.
    pub fn request(&self) -> Result<LimitRequest> {
        let RatesRequests { up, down, total } = TypedRates::from(&self.rates).requests()?;
        Ok(LimitRequest {
            matches: self.matches,
            scope: self.scope,
            action: self.action,
            group: self.group.clone(),
            up,
            down,
            total,
            one_time_burst_bytes: self.one_time_burst.map(Size::bytes),
            packet_unit_bytes: self.packet_unit.map(Size::bytes),
        })
    }
}
