//! `check`, `apply`, `export`, `import` and `reload`: whole policies.

use std::path::PathBuf;

use clap::Args;

use crate::{
    config::Defaults,
    policy::{Action, Burst, GroupName, Scope},
};

/// Which file to check.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent check /etc/throttle/default.toml

It needs no agent. Mistakes are told, up to 20 of them, each with its file, line and key, and what is
accepted. Whether an agent has room for all limits turns out when it puts them in force.")]
pub struct CheckArgs {
    /// The configuration file
    pub file: PathBuf,
}

/// Which file to put in force.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent apply policy.toml --dry-run
  throttle-agent apply policy.toml
  throttle-agent apply policy.toml --dry-run --json | jq .limits

The whole policy becomes visible at one instant: each packet meets the old one or the new one. What
the file does not name is deleted. Links have to be attached already. Applied twice, the second time
changes nothing.")]
pub struct ApplyArgs {
    /// The configuration file
    pub file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Which subscribers to add.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent import subscribers.csv --dry-run
  throttle-agent import subscribers.csv --group acme --burst 500ms

The file begins with the line address,up,down and has one subscriber on each line after it:
10.0.0.7,2mbit,10mbit. Columns group, burst and action may follow. An empty rate is no limit.
All of them come in force at one instant; limits of other addresses stay.")]
pub struct ImportArgs {
    /// The CSV file
    pub file: PathBuf,
    /// Charge the buckets of this group as well
    #[arg(long, value_name = "NAME")]
    pub group: Option<GroupName>,
    /// What happens to excess
    #[arg(long, value_name = "ACTION", default_value_t)]
    pub action: Action,
    /// What may pass at once after a pause
    #[arg(long, value_name = "SIZE|TIME", allow_hyphen_values = true)]
    pub burst: Option<Burst>,
    /// Who shares a bucket
    #[arg(long, value_enum, value_name = "SCOPE", default_value_t)]
    pub scope: Scope,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl ImportArgs {
    /// What holds for every subscriber whose line says nothing else.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        let Self { group, action, burst, scope, .. } = self;
        Defaults { group: group.clone(), action: *action, burst: *burst, scope: *scope }
    }
}
