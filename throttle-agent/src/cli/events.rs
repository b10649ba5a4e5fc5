//! `events`.

use clap::Args;

use crate::trace::Traces;

/// What to tell.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent events                         the last 256
  throttle-agent events --follow                and all that come
  throttle-agent events --trace bandwidth
  throttle-agent events --trace load,packets --json | jq .cpu_percent

Each line begins with the time and the kind. With --json, events have an \"event\", reports a \"report\".
Ctrl-C ends it.")]
pub struct EventsArgs {
    /// Go on with what happens from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Report every second, too: some of bandwidth,packets,load,debug; implies --follow
    #[arg(long, value_name = "LIST")]
    pub trace: Option<Traces>,
}
