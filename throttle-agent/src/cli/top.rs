//! `top`.

use std::num::NonZeroU32;

use clap::Args;

/// How to show hosts live.
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = "\
Examples:
  throttle-agent top
  throttle-agent top --every 5
  throttle-agent top --ascii --color never

Keys: q quits, s orders, / filters by address, prefix or name, f freezes, Enter explains a host,
l shows limits, groups and links, ? shows all keys.")]
pub struct TopArgs {
    /// Refresh every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    pub every: NonZeroU32,
    /// Draw with letters and signs alone; so it is done without a UTF-8 locale, too
    #[arg(long)]
    pub ascii: bool,
}
