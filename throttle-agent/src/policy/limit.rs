//! One limit: a prefix with rates, bursts, a scope and an action.

use std::fmt;

use clap::ValueEnum;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::units::{BitRate, PacketsPerSecond, Size};

/// Who shares a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
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

/// What happens to excess.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// excess is dropped
    #[default]
    Drop,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Drop => "drop",
        })
    }
}

/// A rate in bits per second with its burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteRate {
    /// Layer-3 bits per second.
    pub rate: BitRate,
    /// What may pass at once after a pause.
    pub burst: Size,
}

/// A rate in packets per second with its burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketRate {
    /// Wire packets per second.
    pub rate: PacketsPerSecond,
    /// Packets that may pass at once after a pause.
    pub burst_packets: u64,
}

/// The rates of one direction, or of both together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rates {
    /// Limit on bytes.
    pub bytes: Option<ByteRate>,
    /// Limit on packets.
    pub packets: Option<PacketRate>,
}

impl Rates {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_none() && self.packets.is_none()
    }
}

/// A limit as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The addresses it applies to, host bits cleared.
    pub prefix: IpNet,
    /// Who shares a bucket.
    pub scope: Scope,
    /// What happens to excess.
    pub action: Action,
    /// Packets sent by hosts.
    pub up: Rates,
    /// Packets sent to hosts.
    pub down: Rates,
    /// Packets of both directions together; excludes the same kind in `up` and `down`.
    pub total: Rates,
}
