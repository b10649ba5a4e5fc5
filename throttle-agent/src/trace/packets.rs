//! Packets per second, by reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Snapshot;

/// Packets per second over all links and both directions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Packets {
    /// By reason.
    pub packets_per_second: BTreeMap<String, u64>,
}

impl Packets {
    pub(super) fn between(before: &Snapshot, now: &Snapshot) -> Self {
        let rate = |(reason, &packets): (&String, &u64)| {
            let then = before.stats.reasons.get(reason).copied().unwrap_or(0);
            // Where a link was detached, its packets are gone from the sum: that is no growth.
            let rate = if packets < then { 0 } else { now.per_second(before, then, packets) };
            (reason.clone(), rate)
        };
        Self { packets_per_second: now.stats.reasons.iter().map(rate).collect() }
    }
}
