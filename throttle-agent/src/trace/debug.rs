//! What helps to find a fault in the throttler itself.

use serde::{Deserialize, Serialize};
use throttle_common::verdict::Reason;
use utoipa::ToSchema;

use super::Snapshot;

/// Comings and goings inside the throttler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Debug {
    /// Number of the policy in force.
    pub generation: u32,
    /// Limits in force.
    pub limits: u64,
    /// Groups.
    pub groups: u64,
    /// Hosts that came into the table.
    pub hosts_made: u64,
    /// Idle hosts that were forgotten.
    pub hosts_expired: u64,
    /// Events that were told.
    pub events: u64,
    /// Events that there were too many of to tell.
    pub events_lost: u64,
    /// Packets on which agent and program disagree, since the program was loaded.
    pub internal_packets: u64,
}

impl Debug {
    pub(super) fn between(before: &Snapshot, now: &Snapshot) -> Self {
        let hosts_expired = now.hosts_expired.saturating_sub(before.hosts_expired);
        let left = before.stats.hosts.tracked.saturating_sub(hosts_expired);
        Self {
            generation: now.stats.generation,
            limits: now.stats.limits.len() as u64,
            groups: now.stats.groups.len() as u64,
            hosts_made: now.stats.hosts.tracked.saturating_sub(left),
            hosts_expired,
            events: now.events.saturating_sub(before.events),
            events_lost: now.events_lost.saturating_sub(before.events_lost),
            internal_packets: now.stats.reasons.get(Reason::Internal.name()).copied().unwrap_or(0),
        }
    }
}
