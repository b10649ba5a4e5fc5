//! Kinds of events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which way packets go, from the host's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowName {
    /// Sent by the host.
    Up,
    /// Sent to the host.
    Down,
}

/// What made a policy change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// One limit, group or link was set or deleted.
    Command,
    /// A whole policy was applied.
    Apply,
    /// The configuration file was read again.
    Reload,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A host has begun to exceed its limit.
    HostExceeding {
        /// The host.
        host: String,
        /// The prefix of its limit; `null` when that has just been deleted.
        limit: Option<String>,
        /// Which way.
        direction: FlowName,
        /// Why its packet found no room: the name of a reason.
        reason: String,
    },
    /// A host no longer exceeds its limit.
    HostConforming {
        /// The host.
        host: String,
        /// Which way.
        direction: FlowName,
        /// How long it exceeded it.
        seconds: f64,
    },
    /// Hosts find no room in the host table.
    TableFilling {
        /// Hosts in the table.
        tracked: u64,
        /// Hosts that it has room for.
        capacity: u64,
    },
    /// Hosts find room in the host table again.
    TableHasRoom {
        /// Hosts in the table.
        tracked: u64,
        /// Hosts that it has room for.
        capacity: u64,
        /// Packets of hosts without room meanwhile.
        overflowed_packets: u64,
    },
    /// The program was attached to an interface.
    LinkUp {
        /// Name of the interface.
        interface: String,
        /// Index of the interface.
        ifindex: u32,
    },
    /// The program is no longer attached to an interface.
    LinkDown {
        /// Name of the interface.
        interface: String,
        /// Index of the interface.
        ifindex: u32,
    },
    /// An interface that the program is attached to has another name.
    LinkRenamed {
        /// Name that it had.
        before: String,
        /// Name of the interface.
        interface: String,
        /// Index of the interface.
        ifindex: u32,
    },
    /// Another policy is in force.
    PolicyChanged {
        /// What made it change.
        cause: Cause,
        /// What changed, in words.
        change: String,
        /// Number of the policy in force.
        generation: u32,
    },
    /// The program of every link was replaced by that of this agent.
    ProgramReplaced {
        /// How many links.
        links: usize,
    },
    /// Events were not told, since there were too many at once.
    EventsLost {
        /// How many.
        count: u64,
    },
}
