//! What the agent tells in one answer to the screen.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Instant};

use ipnet::IpNet;

use crate::{
    control::StatusView,
    error::Result,
    policy::{GroupView, LimitView, LinkLimitView, Match},
    telemetry::{HostExplained, HostSort, HostView, StatsView},
};

/// What the agent knows about one second.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Number of the second, or [`UNMETERED`](Self::UNMETERED): two answers about the same one have the same.
    pub sample: u64,
    /// When it ended.
    pub at: Instant,
    /// The agent at a glance.
    pub status: StatusView,
    /// Counters of links, groups and limits.
    pub stats: Arc<StatsView>,
    /// Hosts, those that were asked for.
    pub hosts: Vec<HostView>,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// The host that was asked for, or why it is not there.
    pub detail: Option<Result<HostExplained, String>>,
}

/// The rates in force, by name.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Limits of hosts; those that exempt peers are left out.
    pub limits: HashMap<IpNet, LimitView>,
    /// Groups.
    pub groups: Vec<GroupView>,
    /// Links.
    pub links: Vec<LinkLimitView>,
}

/// What the screen wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Hosts that come first in this order.
    pub sort: HostSort,
    /// And this one, whether it comes first or not.
    pub host: Option<IpAddr>,
    /// All about this one.
    pub detail: Option<IpAddr>,
}

impl Facts {
    /// The number of an answer that belongs to no second: nothing grows from it to the next.
    pub const UNMETERED: u64 = 0;
}

impl Policy {
    /// Puts limits, groups and links under their names.
    #[must_use]
    pub fn new(limits: Vec<LimitView>, groups: Vec<GroupView>, links: Vec<LinkLimitView>) -> Self {
        let limits = limits.into_iter().filter(|limit| limit.matches == Match::Host);
        Self { limits: limits.map(|limit| (limit.prefix, limit)).collect(), groups, links }
    }
}

/// The address in the name of a host, which for IPv6 is a prefix.
#[must_use]
pub(super) fn address_of(host: &str) -> Option<IpAddr> {
    host.split('/').next()?.parse().ok()
}
