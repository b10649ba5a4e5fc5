//! One limit: a prefix with rates, bursts, a scope and an action.

use std::fmt;

use clap::ValueEnum;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::units::Size;
use utoipa::ToSchema;

use super::{Action, GroupName, ParentAction, Rates};

/// Who shares a bucket.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// every host inside the prefix has its own bucket
    #[default]
    Each,
    /// the prefix has one bucket
    Shared,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Each => "each",
            Self::Shared => "shared",
        })
    }
}

/// Whose address a prefix is compared with.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    ValueEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// the host's own
    #[default]
    Host,
    /// that of the other end; only to exempt it, with action pass
    Peer,
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Host => "host",
            Self::Peer => "peer",
        })
    }
}

/// What tells a limit from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    /// The addresses it applies to, host bits cleared.
    pub prefix: IpNet,
    /// Whose address they are.
    pub matches: Match,
}

impl LimitKey {
    /// The limit of the hosts inside `prefix`.
    #[must_use]
    pub const fn host(prefix: IpNet) -> Self {
        Self { prefix, matches: Match::Host }
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.matches {
            Match::Host => self.prefix.fmt(f),
            Match::Peer => write!(f, "{} (peer)", self.prefix),
        }
    }
}

/// A limit as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The addresses it applies to, host bits cleared.
    pub prefix: IpNet,
    /// Whose address they are.
    pub matches: Match,
    /// Who shares a bucket.
    pub scope: Scope,
    /// What happens to excess.
    pub action: Action,
    /// The group whose buckets are charged as well.
    pub group: Option<GroupName>,
    /// Packets sent by hosts.
    pub up: Rates,
    /// Packets sent to hosts.
    pub down: Rates,
    /// Packets of both directions together; excludes the same kind in `up` and `down`.
    pub total: Rates,
    /// Bytes that each byte bucket grants before it starts to count.
    pub one_time_burst: Option<Size>,
    /// A packet counts as one packet for each so many bytes that it begins.
    pub packet_unit: Option<Size>,
}

impl Limit {
    /// What tells it from all others.
    #[must_use]
    pub fn key(&self) -> LimitKey {
        LimitKey { prefix: self.prefix, matches: self.matches }
    }
}

/// The limit of a whole link as it is in force; the default limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LinkLimit {
    /// What happens to packets that the link has no room for.
    pub action: ParentAction,
    /// Packets sent by hosts.
    pub up: Rates,
    /// Packets sent to hosts.
    pub down: Rates,
    /// Packets of both directions together; excludes the same kind in `up` and `down`.
    pub total: Rates,
    /// Counted on top of the layer-3 length of every packet of the link.
    pub overhead_bytes: u16,
}
