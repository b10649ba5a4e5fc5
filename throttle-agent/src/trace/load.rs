//! What the agent itself uses, and how full its table is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Snapshot;

/// The agent's own load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Load {
    /// Time on processors, in percent of one.
    pub cpu_percent: f64,
    /// Memory that is resident, without the maps.
    pub resident_bytes: u64,
    /// How long the newest sample took.
    pub sample_ns: u64,
    /// Hosts in the table.
    pub hosts_tracked: u64,
    /// Hosts that it has room for.
    pub hosts_capacity: u64,
    /// How full the table is.
    pub hosts_percent: f64,
    /// Packets of hosts that it had no room for.
    pub overflowed_packets_per_second: u64,
    /// Requests on the control socket.
    pub requests_per_second: u64,
}

impl Load {
    pub(super) fn between(before: &Snapshot, now: &Snapshot) -> Self {
        let (then, hosts) = (before.stats.hosts, now.stats.hosts);
        // In percent of a processor, which has 1e9 ns a second; the result is to a tenth.
        let cpu_ns = now.per_second(before, before.process.cpu_ns, now.process.cpu_ns);
        let overflowed = hosts.overflowed.max(then.overflowed);
        let filled = hosts.tracked as f64 / hosts.capacity.max(1) as f64;
        Self {
            cpu_percent: (cpu_ns as f64 / 1e6).round() / 10.0,
            resident_bytes: now.process.resident_bytes,
            sample_ns: now.sample_ns,
            hosts_tracked: hosts.tracked,
            hosts_capacity: hosts.capacity,
            hosts_percent: (filled * 1000.0).round() / 10.0,
            overflowed_packets_per_second: now.per_second(before, then.overflowed, overflowed),
            requests_per_second: now.per_second(before, before.requests, now.requests),
        }
    }
}
