//! Counters as they are shown: the same rows make the tables and the JSON.

use std::{collections::BTreeMap, fmt};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::{abi::Side, verdict::Reason};
use utoipa::ToSchema;

use super::meter::Pair;
use crate::{
    datapath::{
        Counters, GroupCounters, HookKind, HostState, LimitCounters, LinkCounters, Tally, Usage,
    },
    policy::{GroupName, LimitKey, Match, host_name},
};

/// Every counter that is not per host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsView {
    /// Per link.
    pub links: Vec<LinkView>,
    /// Per limit.
    pub limits: Vec<LimitUsageView>,
    /// Per group.
    pub groups: Vec<GroupUsageView>,
    /// Packets by reason, over all links and both directions.
    pub reasons: BTreeMap<String, u64>,
    /// The host table.
    pub hosts: HostsView,
    /// Number of the policy in force.
    pub generation: u32,
}

/// Packets of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowView {
    /// Layer-3 bytes that passed.
    pub passed_bytes: u64,
    /// Wire packets that passed.
    pub passed_packets: u64,
    /// Layer-3 bytes that found no room.
    pub excess_bytes: u64,
    /// Wire packets that found no room.
    pub excess_packets: u64,
    /// What passed, over the last second.
    pub bits_per_second: u64,
}

/// Counters of one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    /// Name of the interface; `null` when the interface is gone.
    pub interface: Option<String>,
    /// Where the hosts are: `far` or `near`.
    pub side: String,
    /// How the program is attached: `tcx` or `clsact`.
    pub hook: String,
    /// Packets sent by hosts.
    pub up: FlowView,
    /// Packets sent to hosts.
    pub down: FlowView,
    /// Packets by reason, without reasons that there were none of.
    pub reasons: BTreeMap<String, ReasonView>,
}

/// Packets of one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonView {
    /// Those sent by hosts.
    pub up: TallyView,
    /// Those sent to hosts.
    pub down: TallyView,
}

/// Packets and what they held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TallyView {
    /// Wire packets.
    pub packets: u64,
    /// Layer-3 bytes.
    pub bytes: u64,
}

/// Counters of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupUsageView {
    /// Its name.
    pub name: GroupName,
    /// Packets sent by its hosts.
    pub up: FlowView,
    /// Packets sent to its hosts.
    pub down: FlowView,
}

/// Counters of one limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitUsageView {
    /// The limit's prefix.
    #[schema(value_type = String, example = "10.0.0.0/24")]
    pub prefix: IpNet,
    /// Whose address the prefix is compared with.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Packets sent by its hosts.
    pub up: FlowView,
    /// Packets sent to its hosts.
    pub down: FlowView,
}

/// Fill of the host table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostsView {
    /// Hosts in the table.
    pub tracked: u64,
    /// Hosts that it has room for.
    pub capacity: u64,
    /// Packets of hosts that it had no room for, charged to overflow buckets.
    pub overflowed: u64,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostView {
    /// The address; for IPv6 the host's prefix.
    pub host: String,
    /// The limit that holds it.
    #[schema(value_type = Option<String>, example = "10.0.0.0/24")]
    pub limit: Option<IpNet>,
    /// The group it is a member of.
    pub group: Option<GroupName>,
    /// Packets it sent.
    pub up: HostFlowView,
    /// Packets sent to it.
    pub down: HostFlowView,
    /// Time since its last packet; `null` when there was none yet.
    pub last_seen_seconds_ago: Option<f64>,
}

/// Packets of one direction of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostFlowView {
    /// The counters.
    #[serde(flatten)]
    pub flow: FlowView,
    /// Time until its next packet conforms.
    pub wait_ns: u64,
}

/// Rates in bits per second, up and down.
#[derive(Clone, Copy)]
pub(super) struct RatesOf<'a> {
    /// Of a link, by interface index.
    pub(super) link: &'a dyn Fn(u32) -> Pair,
    /// Of a group.
    pub(super) group: &'a dyn Fn(&GroupName) -> Pair,
    /// Of a limit.
    pub(super) limit: &'a dyn Fn(LimitKey) -> Pair,
}

impl fmt::Display for HostsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} hosts tracked, room for {}, {} packets charged to overflow buckets",
            self.tracked, self.capacity, self.overflowed
        )
    }
}

impl StatsView {
    /// Joins counters with rates.
    pub(super) fn new(counters: &Counters, rates: RatesOf<'_>) -> Self {
        let packets = |reason: Reason| packets_by_reason(&counters.links, reason);
        let overflow = [Reason::OverflowBytes, Reason::OverflowPackets, Reason::OverflowConforms];
        Self {
            links: counters
                .links
                .iter()
                .map(|link| LinkView::new(link, (rates.link)(link.link.ifindex)))
                .collect(),
            limits: counters
                .limits
                .iter()
                .map(|limit| {
                    let key = LimitKey { prefix: limit.prefix, matches: limit.matches };
                    LimitUsageView::new(limit, (rates.limit)(key))
                })
                .collect(),
            groups: counters
                .groups
                .iter()
                .map(|group| GroupUsageView::new(group, (rates.group)(&group.name)))
                .collect(),
            reasons: Reason::ALL
                .iter()
                .map(|&reason| (reason.name().to_owned(), packets(reason)))
                .collect(),
            hosts: HostsView {
                tracked: counters.hosts_tracked,
                capacity: counters.hosts_capacity,
                overflowed: overflow.into_iter().map(packets).sum(),
            },
            generation: counters.generation,
        }
    }
}

impl FlowView {
    fn new(passed: Tally, excess: Tally, bits_per_second: u64) -> Self {
        Self {
            passed_bytes: passed.bytes,
            passed_packets: passed.packets,
            excess_bytes: excess.bytes,
            excess_packets: excess.packets,
            bits_per_second,
        }
    }

    fn of_usage(usage: &Usage, bits_per_second: u64) -> Self {
        Self::new(usage.passed, usage.excess, bits_per_second)
    }

    fn of_reasons(tallies: &[Tally; Reason::COUNT], bits_per_second: u64) -> Self {
        Self::new(passed_of(tallies), sum_where(tallies, Reason::refuses), bits_per_second)
    }
}

impl LinkView {
    fn new(counters: &LinkCounters, [up, down]: Pair) -> Self {
        Self {
            interface: counters.link.interface.clone(),
            side: side_name(counters.link.side).to_owned(),
            hook: hook_name(counters.link.hook).to_owned(),
            up: FlowView::of_reasons(&counters.up, up),
            down: FlowView::of_reasons(&counters.down, down),
            reasons: ReasonView::map(&counters.up, &counters.down),
        }
    }
}

impl ReasonView {
    fn map(up: &[Tally; Reason::COUNT], down: &[Tally; Reason::COUNT]) -> BTreeMap<String, Self> {
        let view = |tally: &Tally| TallyView { packets: tally.packets, bytes: tally.bytes };
        let views = up.iter().zip(down).map(|(up, down)| Self { up: view(up), down: view(down) });
        let named = Reason::ALL.iter().map(|reason| reason.name().to_owned()).zip(views);
        named.filter(|(_, view)| *view != Self::default()).collect()
    }
}

impl GroupUsageView {
    fn new(counters: &GroupCounters, [up, down]: Pair) -> Self {
        Self {
            name: counters.name.clone(),
            up: FlowView::of_usage(&counters.up, up),
            down: FlowView::of_usage(&counters.down, down),
        }
    }
}

impl LimitUsageView {
    /// What tells the limit from all others.
    #[must_use]
    pub fn key(&self) -> LimitKey {
        LimitKey { prefix: self.prefix, matches: self.matches }
    }

    fn new(counters: &LimitCounters, [up, down]: Pair) -> Self {
        Self {
            prefix: counters.prefix,
            matches: counters.matches,
            up: FlowView::of_usage(&counters.up, up),
            down: FlowView::of_usage(&counters.down, down),
        }
    }
}

impl HostView {
    pub(super) fn new(host: &HostState, ipv6_host_prefix: u8, [up, down]: Pair) -> Self {
        Self {
            host: host_name(host.address, ipv6_host_prefix),
            limit: host.limit,
            group: host.group.clone(),
            up: HostFlowView::new(&host.up, up),
            down: HostFlowView::new(&host.down, down),
            last_seen_seconds_ago: host.idle_ns.map(|idle_ns| idle_ns as f64 / 1e9),
        }
    }
}

impl HostFlowView {
    fn new(usage: &Usage, bits_per_second: u64) -> Self {
        Self { flow: FlowView::of_usage(usage, bits_per_second), wait_ns: usage.wait_ns }
    }
}

/// The word for a side.
#[must_use]
pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::Far => "far",
        Side::Near => "near",
    }
}

/// The word for a hook.
#[must_use]
pub fn hook_name(hook: HookKind) -> &'static str {
    match hook {
        HookKind::Tcx => "tcx",
        HookKind::Clsact => "clsact",
    }
}

/// What passed, whatever the reason.
pub(super) fn passed_of(tallies: &[Tally; Reason::COUNT]) -> Tally {
    sum_where(tallies, |reason| !reason.refuses())
}

fn sum_where(tallies: &[Tally; Reason::COUNT], counts: impl Fn(Reason) -> bool) -> Tally {
    let counted = Reason::ALL.iter().zip(tallies).filter(|&(&reason, _)| counts(reason));
    counted.fold(Tally::default(), |sum, (_, tally)| Tally {
        packets: sum.packets + tally.packets,
        bytes: sum.bytes + tally.bytes,
    })
}

fn packets_by_reason(links: &[LinkCounters], reason: Reason) -> u64 {
    let directions = links.iter().flat_map(|link| [&link.up, &link.down]);
    directions.map(|tallies| sum_where(tallies, |counted| counted == reason).packets).sum()
}

#[cfg(test)]
mod tests;
