//! What decides about one host, as it is shown.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HostView, meter::Pair};
use crate::{
    datapath::{
        BucketState, Explanation, HostPlace, HostState, LastExcess, LevelFlow, LevelName,
        LevelState, Place, Usage,
    },
    policy::{Action, RatesView, Scope},
};

/// One host, its limit, its buckets, and why its packets found no room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostExplained {
    /// What is told of every host.
    #[serde(flatten)]
    pub host: HostView,
    /// Where it is kept.
    pub place: Place,
    /// Who shares the buckets of its limit.
    pub scope: Option<Scope>,
    /// What happens to its excess.
    pub action: Option<Action>,
    /// The prefixes of limits that hold it, longest first: the first one decides.
    #[schema(value_type = Vec<String>, example = json!(["10.0.0.0/24", "0.0.0.0/0"]))]
    pub prefixes: Vec<IpNet>,
    /// Prefixes to and from which its packets are exempt.
    #[schema(value_type = Vec<String>, example = json!(["192.0.2.0/24"]))]
    pub exempt_peers: Vec<IpNet>,
    /// What its packets are charged to: itself or its prefix, its group, and every link that is limited.
    pub levels: Vec<LevelView>,
    /// Time until its next packet up conforms to all levels.
    pub up_wait_ns: u64,
    /// Time until its next packet down conforms to all levels.
    pub down_wait_ns: u64,
    /// Its last packet up that found no room.
    pub up_last_excess: Option<LastExcessView>,
    /// Its last packet down that found no room.
    pub down_last_excess: Option<LastExcessView>,
}

/// A packet that found no room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LastExcessView {
    /// Why: the name of a reason.
    pub reason: String,
    /// When, to a second.
    pub seconds_ago: f64,
}

/// Buckets that a packet is charged to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelView {
    /// Whose they are.
    pub level: LevelKind,
    /// The prefix, the group or the interface.
    pub name: Option<String>,
    /// Packets sent by hosts.
    pub up: LevelFlowView,
    /// Packets sent to hosts.
    pub down: LevelFlowView,
}

/// Whose buckets they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelKind {
    /// The host's own.
    Host,
    /// Those that all of a prefix shares.
    Prefix,
    /// Those of hosts that the host table has no room for.
    Overflow,
    /// A group's.
    Group,
    /// A link's.
    Link,
}

/// The buckets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelFlowView {
    /// What they are held to; that of both directions together where there is a total.
    #[serde(flatten)]
    pub rates: RatesView,
    /// What the bucket of bytes holds; `null` when bytes are not limited.
    pub bytes: Option<BucketView>,
    /// What the bucket of packets holds; `null` when packets are not limited.
    pub packets: Option<BucketView>,
    /// Time until the next packet conforms to both.
    pub wait_ns: u64,
}

/// What one bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BucketView {
    /// What is owed, in bytes or packets.
    pub debt: u64,
    /// Time until it is paid back.
    pub debt_ns: u64,
    /// What is owed, in percent of the burst; above 100, packets have to wait.
    pub percent_of_burst: f64,
    /// What is left of a burst that is granted once, in bytes.
    pub credit: u64,
    /// Whether both directions are charged to it.
    pub is_total: bool,
}

impl HostExplained {
    /// What decides about a host; its rates are those of the last sample.
    pub(super) fn new(explained: &Explanation, ipv6_host_prefix: u8, rates: Pair) -> Self {
        let Explanation { limit, levels, .. } = explained;
        let unseen = || HostState {
            place: HostPlace::default(),
            address: explained.address,
            limit: limit.as_ref().map(|limit| limit.prefix),
            group: limit.as_ref().and_then(|limit| limit.group.clone()),
            up: Usage::default(),
            down: Usage::default(),
            last_excess: [None, None],
            idle_ns: None,
        };
        let state = explained.state.clone().unwrap_or_else(unseen);
        let longest = |direction: usize| {
            levels.iter().map(|level| level.flows[direction].wait_ns).max().unwrap_or_default()
        };
        let [up_last_excess, down_last_excess] =
            state.last_excess.map(|last| last.map(LastExcessView::from));
        Self {
            host: HostView::new(&state, ipv6_host_prefix, rates),
            place: explained.place,
            scope: limit.as_ref().map(|limit| limit.scope),
            action: limit.as_ref().map(|limit| limit.action),
            prefixes: explained.holding.clone(),
            exempt_peers: explained.exempt_peers.clone(),
            levels: levels.iter().map(LevelView::from).collect(),
            up_wait_ns: longest(0),
            down_wait_ns: longest(1),
            up_last_excess,
            down_last_excess,
        }
    }
}

impl From<LastExcess> for LastExcessView {
    fn from(LastExcess { reason, ago_ns }: LastExcess) -> Self {
        Self { reason: reason.name().to_owned(), seconds_ago: ago_ns as f64 / 1e9 }
    }
}

impl From<&LevelState> for LevelView {
    fn from(state: &LevelState) -> Self {
        let (level, name) = match &state.name {
            LevelName::Host => (LevelKind::Host, None),
            LevelName::Prefix(prefix) => (LevelKind::Prefix, Some(prefix.to_string())),
            LevelName::Overflow => (LevelKind::Overflow, None),
            LevelName::Group(name) => (LevelKind::Group, Some(name.to_string())),
            LevelName::Link(interface) => (LevelKind::Link, Some(interface.clone())),
        };
        let [up, down] = state.flows.map(|flow| LevelFlowView::new(&flow, state.is_total));
        Self { level, name, up, down }
    }
}

impl LevelFlowView {
    fn new(flow: &LevelFlow, [bytes_total, packets_total]: [bool; 2]) -> Self {
        let LevelFlow { rates, bytes, packets, wait_ns } = flow;
        let bytes_burst = rates.bytes.map_or(0, |rate| rate.burst.bytes());
        let packets_burst = rates.packets.map_or(0, |rate| rate.burst_packets);
        Self {
            rates: (*rates).into(),
            bytes: bytes.map(|bucket| BucketView::new(bucket, bytes_burst, bytes_total)),
            packets: packets.map(|bucket| BucketView::new(bucket, packets_burst, packets_total)),
            wait_ns: *wait_ns,
        }
    }
}

impl BucketView {
    /// A bucket whose `burst` is so many bytes or packets: they last for as long as the burst does.
    fn new(bucket: BucketState, burst: u64, is_total: bool) -> Self {
        let BucketState { debt_ns, burst_ns, credit_ns } = bucket;
        let share = |time_ns: u64| {
            let share = u128::from(time_ns) * u128::from(burst) / u128::from(burst_ns.max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        // A tenth of a percent is enough.
        let per_mille = u128::from(debt_ns) * 1000 / u128::from(burst_ns.max(1));
        Self {
            debt: share(debt_ns),
            debt_ns,
            percent_of_burst: per_mille as f64 / 10.0,
            credit: share(credit_ns),
            is_total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_told_in_units_of_the_burst() {
        // 8 Mbit/s: a byte lasts a microsecond.
        let bucket = BucketState { debt_ns: 16_000_000, burst_ns: 64_000_000, credit_ns: 0 };
        let view = BucketView::new(bucket, 64_000, false);
        assert_eq!((view.debt, view.percent_of_burst, view.credit), (16_000, 25.0, 0));
        let bucket = BucketState { debt_ns: 0, credit_ns: 128_000_000, ..bucket };
        assert_eq!(BucketView::new(bucket, 64_000, false).credit, 128_000);
    }

    #[test]
    fn a_bucket_without_burst_divides_nothing() {
        let bucket = BucketState { debt_ns: 5, burst_ns: 0, credit_ns: 0 };
        assert_eq!(BucketView::new(bucket, 0, true).debt, 0);
    }
}
