//! What can be typed. What it does is in [`commands`](crate::commands).

mod completions;
mod events;
mod group;
mod host;
mod limit;
mod link;
mod policy;
mod rates;
mod run;
mod top;
mod usage;
mod values;

use std::path::PathBuf;

use clap::{ArgGroup, Args, ColorChoice, Parser, Subcommand};

pub use completions::{CompletionsArgs, Shell};
pub use events::EventsArgs;
pub use group::{GroupCommand, GroupSetArgs};
pub use host::HostCommand;
pub use limit::{LimitCommand, LimitName, LimitSetArgs};
pub use link::{LinkCommand, LinkSetArgs};
pub use policy::{ApplyArgs, CheckArgs, ImportArgs};
pub use rates::RateArgs;
pub use run::RunArgs;
pub use top::TopArgs;
pub use usage::{Parsed, color_typed, json_typed, parse};

use crate::{
    agent::NetnsName,
    instance::{Instance, STATE_DIR},
};

/// Limits traffic per IP address in the kernel.
#[derive(Debug, Parser)]
#[command(name = "throttle-agent", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  throttle-agent run --iface eth1
  throttle-agent limit set 10.0.0.0/24 --down 10mbit --up 2mbit
  throttle-agent host list --top 10
  throttle-agent detach --all

Exit codes: 0 done, 1 failed, 2 usage, 3 no such limit, group, link or host, 4 not permitted,
5 agent not running, 6 the kernel cannot do it";

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Name of the instance: one policy over the links of one network namespace
    #[arg(long, global = true, value_name = "NAME", default_value = Instance::DEFAULT)]
    pub instance: Instance,
    /// Print JSON instead of tables
    #[arg(short, long, global = true)]
    pub json: bool,
    /// When to use colours; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value_t)]
    pub color: ColorChoice,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Attach to interfaces and enforce limits until told to stop, and beyond
    Run(RunArgs),
    /// Set, delete and show limits
    #[command(subcommand)]
    Limit(LimitCommand),
    /// Set, delete and show groups: named buckets above those of limits
    #[command(subcommand)]
    Group(GroupCommand),
    /// Set and show the limits of whole interfaces
    #[command(subcommand)]
    Link(LinkCommand),
    /// Show hosts
    #[command(subcommand)]
    Host(HostCommand),
    /// Show counters of links, groups, limits and reasons
    Stats(StatsArgs),
    /// Show hosts by rate, live
    Top(TopArgs),
    /// Show what happened, and what happens
    Events(EventsArgs),
    /// Show the agent and its links
    #[command(after_help = "\
Examples:
  throttle-agent status
  throttle-agent status --instance blue --json | jq .links")]
    Status,
    /// Check a configuration file
    Check(CheckArgs),
    /// Put the policy of a configuration file in force, in place of the one there is
    Apply(ApplyArgs),
    /// Put limits of subscribers in force, beside those there are
    Import(ImportArgs),
    /// Print what is in force as a file that `apply` accepts
    #[command(after_help = "\
Examples:
  throttle-agent export > policy.toml
  throttle-agent export --instance blue")]
    Export,
    /// Make the agent read its configuration file again, and wait until it is in force
    #[command(after_help = "\
Examples:
  throttle-agent reload

SIGHUP does the same. A file with mistakes leaves the policy as it is. Where the file has not changed,
changes made at run time stay.")]
    Reload,
    /// Stop enforcing on one interface, or remove everything of the instance
    Detach(DetachArgs),
    /// Print what makes a shell complete commands and options
    Completions(CompletionsArgs),
    /// Write the manual pages of all commands, for packages
    #[command(hide = true, after_help = "Examples:\n  throttle-agent man target/man")]
    Man {
        /// Folder to write them to; it must exist
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// Which counters to show.
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = "\
Examples:
  throttle-agent stats
  throttle-agent stats --watch
  throttle-agent stats --watch 10 --json | jq .hosts")]
pub struct StatsArgs {
    /// Show the sample of the last second, and a new one every so many seconds; with --json, one line each
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    pub watch: Option<std::num::NonZeroU32>,
}

/// What to detach.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent detach --iface eth1
  throttle-agent detach --all

Both work without a running agent, too. An interface stays detached until the agent is started
again or reads its configuration file again. With --all, the agent exits, and no program, pin,
qdisc or file of the instance is left.")]
#[group(skip)]
#[command(group = ArgGroup::new("what").required(true).args(["iface", "all"]))]
pub struct DetachArgs {
    /// Detach from this interface; limits stay
    #[arg(long, value_name = "IF")]
    pub iface: Option<String>,
    /// Detach from every interface and remove all limits
    #[arg(long)]
    pub all: bool,
    /// Network namespace of the instance, for when no agent runs
    #[arg(long, value_name = "NAME|PATH")]
    pub netns: Option<NetnsName>,
    /// Where its changes are saved, for when no agent runs
    #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
    pub state_dir: PathBuf,
}

#[cfg(test)]
mod tests;
