//! Reports of every second, switchable one by one as the trace of a storage server is.

mod bandwidth;
mod debug;
mod load;
mod packets;
mod snapshot;

use std::{fmt, str::FromStr};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use bandwidth::{Bandwidth, FlowReport, HostReport, LinkReport};
pub use debug::Debug;
pub use load::Load;
pub use packets::Packets;
pub use snapshot::{ProcessUse, RatesInForce, Snapshot};

/// Kinds of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Trace {
    /// bits per second of links and of the hosts that use most
    Bandwidth,
    /// packets per second by reason
    Packets,
    /// what the agent itself uses, and how full its table is
    Load,
    /// what helps to find a fault
    Debug,
}

/// Any of the kinds, each at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Traces(Vec<Trace>);

/// What happened in one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// See [`Trace::Bandwidth`].
    Bandwidth(Bandwidth),
    /// See [`Trace::Packets`].
    Packets(Packets),
    /// See [`Trace::Load`].
    Load(Load),
    /// See [`Trace::Debug`].
    Debug(Debug),
}

/// A report and the end of its second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimedReport {
    /// What happened.
    #[serde(flatten)]
    pub report: Report,
    /// When the second ended, in milliseconds since 1970, UTC.
    pub at_unix_ms: u64,
}

impl TimedReport {
    /// What happened between two snapshots.
    #[must_use]
    pub fn between(trace: Trace, before: &Snapshot, now: &Snapshot) -> Self {
        let report = match trace {
            Trace::Bandwidth => Report::Bandwidth(Bandwidth::between(before, now)),
            Trace::Packets => Report::Packets(Packets::between(before, now)),
            Trace::Load => Report::Load(Load::between(before, now)),
            Trace::Debug => Report::Debug(Debug::between(before, now)),
        };
        Self { report, at_unix_ms: now.at_unix_ms }
    }
}

impl Traces {
    /// The kinds, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Trace> {
        self.0.iter().copied()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Traces {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let kind = |name: &str| {
            Trace::from_str(name, false).map_err(|_| {
                format!("{name:?} is no trace: write some of bandwidth,packets,load,debug")
            })
        };
        let kinds = list.split(',').map(str::trim).map(kind);
        let mut kinds: Vec<_> = kinds.collect::<Result<_, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(kinds))
    }
}

impl TryFrom<String> for Traces {
    type Error = String;

    fn try_from(list: String) -> Result<Self, String> {
        list.parse()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bandwidth => "bandwidth",
            Self::Packets => "packets",
            Self::Load => "load",
            Self::Debug => "debug",
        })
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests;
