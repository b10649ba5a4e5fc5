//! Bits per second, of links and of the hosts that use most.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Snapshot, snapshot::shown};
use crate::{
    policy::RatesView,
    telemetry::{FlowView, HostSort, HostView, LinkView},
};

/// Bits per second of links and hosts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bandwidth {
    /// Every link.
    pub links: Vec<LinkReport>,
    /// The hosts with the highest rates, up or down.
    pub hosts: Vec<HostReport>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkReport {
    /// Name of the interface; `null` when the interface is gone.
    pub interface: Option<String>,
    /// Sent by hosts.
    pub up: FlowReport,
    /// Sent to hosts.
    pub down: FlowReport,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostReport {
    /// The address; for IPv6 the host's prefix.
    pub host: String,
    /// The limit that holds it.
    #[schema(value_type = Option<String>, example = "10.0.0.0/24")]
    pub limit: Option<IpNet>,
    /// Sent by the host.
    pub up: FlowReport,
    /// Sent to the host.
    pub down: FlowReport,
}

/// One direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlowReport {
    /// What passed.
    pub passed_bits_per_second: u64,
    /// What found no room; `null` for a host that was not among the first a second ago.
    pub excess_bits_per_second: Option<u64>,
    /// What passed, in percent of the limit; `null` where bytes are not limited. Of a rate for both
    /// directions together, what passed in both counts.
    pub limit_percent: Option<f64>,
}

impl Bandwidth {
    pub(super) fn between(before: &Snapshot, now: &Snapshot) -> Self {
        Self {
            links: now
                .stats
                .links
                .iter()
                .map(|link| LinkReport::between(before, now, link))
                .collect(),
            hosts: shown(&now.hosts)
                .into_iter()
                .map(|host| HostReport::between(before, now, host))
                .collect(),
        }
    }
}

impl LinkReport {
    fn between(before: &Snapshot, now: &Snapshot, link: &LinkView) -> Self {
        let then = before.stats.links.iter().find(|then| then.interface == link.interface);
        let excess = |then: Option<u64>, bytes: u64| {
            Some(8 * now.per_second(before, then.unwrap_or(0), bytes))
        };
        let name = link.interface.as_deref().unwrap_or_default();
        let rates = now.rates.links.get(name).copied().unwrap_or_default();
        let [up, down] = flows(
            [&link.up, &link.down],
            [
                excess(then.map(|then| then.up.excess_bytes), link.up.excess_bytes),
                excess(then.map(|then| then.down.excess_bytes), link.down.excess_bytes),
            ],
            rates,
        );
        Self { interface: link.interface.clone(), up, down }
    }
}

impl HostReport {
    fn between(before: &Snapshot, now: &Snapshot, host: &HostView) -> Self {
        let mut listed = HostSort::ALL.into_iter().flat_map(|sort| before.hosts.by(sort));
        let then = listed.find(|then| then.host == host.host);
        let excess = |then: Option<u64>, bytes: u64| Some(8 * now.per_second(before, then?, bytes));
        let rates = host.limit.and_then(|prefix| now.rates.limits.get(&prefix).copied());
        let [up, down] = flows(
            [&host.up.flow, &host.down.flow],
            [
                excess(then.map(|then| then.up.flow.excess_bytes), host.up.flow.excess_bytes),
                excess(then.map(|then| then.down.flow.excess_bytes), host.down.flow.excess_bytes),
            ],
            rates.unwrap_or_default(),
        );
        Self { host: host.host.clone(), limit: host.limit, up, down }
    }
}

/// Reports of up and down, from what passed, the excess in bits per second, and the rates in force up,
/// down and of both.
fn flows(
    [up, down]: [&FlowView; 2],
    [up_excess, down_excess]: [Option<u64>; 2],
    [up_limit, down_limit, total]: [RatesView; 3],
) -> [FlowReport; 2] {
    let both = up.bits_per_second.saturating_add(down.bits_per_second);
    let report = |flow: &FlowView, excess, limit: RatesView| {
        let of_total = total.bits_per_second.map(|limit| percent(both, limit));
        let own = limit.bits_per_second.map(|limit| percent(flow.bits_per_second, limit));
        FlowReport {
            passed_bits_per_second: flow.bits_per_second,
            excess_bits_per_second: excess,
            limit_percent: own.or(of_total),
        }
    };
    [report(up, up_excess, up_limit), report(down, down_excess, down_limit)]
}

/// To a tenth.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1000.0).round() / 10.0 }
}
