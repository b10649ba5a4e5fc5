//! Which metrics there are, and what they mean.

use std::{collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use throttle_common::verdict::Reason;

use super::{
    bounded::{Bounded, Row},
    counters::{DIRECTIONS, Totals},
    writer::Writer,
};
use crate::{
    agent::Agent,
    events::now_unix_ms,
    metrics::latest::Sample,
    policy::{GroupName, LimitKey},
    telemetry::{FlowView, HostSort, HostView, LinkView, ReasonView, TallyView},
};

/// The labels of everything that has no series of its own; no prefix and no group is called so.
const OTHER: &str = "(other)";

/// What stays the same from scrape to scrape.
#[derive(Debug, Clone)]
pub(super) struct Static {
    agent: Facts,
    instance: String,
    started_unix_seconds: f64,
    top_hosts: usize,
}

/// Counts of the agent's events.
#[derive(Clone)]
struct Facts(Arc<Agent>);

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts")
    }
}

impl Static {
    /// Facts about an agent, whose first `top_hosts` hosts of each order have metrics.
    pub(super) fn new(agent: &Arc<Agent>, top_hosts: usize) -> Self {
        let uptime_seconds = agent.info.started.elapsed().as_secs_f64();
        Self {
            instance: agent.info.instance.to_string(),
            started_unix_seconds: now_unix_ms() as f64 / 1e3 - uptime_seconds,
            top_hosts,
            agent: Facts(Arc::clone(agent)),
        }
    }
}

/// All metrics of one sample.
#[derive(Debug)]
pub(super) struct Families {
    facts: Static,
    sample: Arc<Sample>,
    limits: Vec<([String; 2], Totals)>,
    groups: Vec<([String; 1], Totals)>,
}

impl Families {
    /// Chooses whose metrics are told one by one.
    pub(super) fn new(
        facts: &Static,
        sample: Arc<Sample>,
        limits: &mut Bounded<LimitKey>,
        groups: &mut Bounded<GroupName>,
    ) -> Self {
        let stats = &sample.stats;
        let rows =
            stats.limits.iter().map(|limit| (limit.key(), Totals::new(&limit.up, &limit.down)));
        let (own, other) = limits.update(rows.collect());
        let limits = labelled(own, other, |key: &LimitKey| {
            [key.prefix.to_string(), key.matches.to_string()]
        });
        let rows = stats
            .groups
            .iter()
            .map(|group| (group.name.clone(), Totals::new(&group.up, &group.down)));
        let (own, other) = groups.update(rows.collect());
        let groups = labelled(own, other, |name: &GroupName| [name.to_string()]);
        Self { facts: facts.clone(), limits, groups, sample }
    }
}

/// Rows under the values of their labels, sorted, and what is left over.
fn labelled<K, const N: usize>(
    own: Vec<Row<K>>,
    other: Option<Totals>,
    labels: impl Fn(&K) -> [String; N],
) -> Vec<([String; N], Totals)> {
    let mut rows: Vec<_> = own.iter().map(|(key, totals)| (labels(key), *totals)).collect();
    rows.sort_unstable_by(|(one, _), (another, _)| one.cmp(another));
    rows.extend(other.map(|totals| (std::array::from_fn(|_| OTHER.to_owned()), totals)));
    rows
}

impl Collector for Families {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer::new(encoder);
        self.encode_agent(&mut out)?;
        self.encode_links(&mut out)?;
        out.totals(
            "limit",
            "of hosts of the limit, which is told by prefix and match",
            ["prefix", "match"],
            &self.limits,
        )?;
        out.totals("group", "of hosts of the group", ["group"], &self.groups)?;
        self.encode_hosts(&mut out)
    }
}

impl Families {
    fn encode_agent(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (facts, stats) = (&self.facts, &self.sample.stats);
        let events = &facts.agent.0.events;
        let build = [("version", env!("CARGO_PKG_VERSION")), ("agent_instance", &facts.instance)];
        out.gauges("build_info", "Version and instance of the agent; always 1.", [(build, 1.0)])?;
        for (name, help, value) in [
            (
                "start_time_seconds",
                "When the agent started, since 1970.",
                facts.started_unix_seconds,
            ),
            (
                "sample_timestamp_seconds",
                "When these counters were read, since 1970.",
                self.sample.at_unix_ms as f64 / 1e3,
            ),
            (
                "policy_generation",
                "Number of the policy in force, which every change raises.",
                f64::from(stats.generation),
            ),
            ("links", "Interfaces that the program is attached to.", stats.links.len() as f64),
            ("limits", "Limits in force.", stats.limits.len() as f64),
            ("groups", "Groups in force.", stats.groups.len() as f64),
            ("hosts", "Hosts in the host table.", stats.hosts.tracked as f64),
            (
                "hosts_capacity",
                "Hosts that the host table has room for.",
                stats.hosts.capacity as f64,
            ),
        ] {
            out.gauge(name, help, value)?;
        }
        out.counter("events", "Events since the agent started.", events.count())?;
        let help = "Events that were not told, since there were too many at once.";
        out.counter("events_lost", help, events.lost())
    }

    fn encode_links(&self, out: &mut Writer<'_>) -> fmt::Result {
        // An interface that is gone has no name; what it counted has gone with it.
        let links: BTreeMap<&str, &LinkView> = self
            .sample
            .stats
            .links
            .iter()
            .filter_map(|link| Some((link.interface.as_deref()?, link)))
            .collect();
        let totals: Vec<_> = links
            .iter()
            .map(|(name, link)| ([(*name).to_owned()], Totals::new(&link.up, &link.down)))
            .collect();
        out.totals("link", "on the link", ["interface"], &totals)?;
        let overflow = [Reason::OverflowBytes, Reason::OverflowPackets, Reason::OverflowConforms];
        out.counters(
            "overflow_packets",
            "Packets of hosts that the host table had no room for.",
            links.iter().map(|(name, link)| {
                let of = |reason: Reason| {
                    let view = link.reasons.get(reason.name()).copied().unwrap_or_default();
                    view.up.packets + view.down.packets
                };
                ([("interface", *name)], overflow.into_iter().map(of).sum())
            }),
        )?;
        for (name, help, count) in [
            (
                "reason_packets",
                "Packets on the link by the one reason that each has.",
                (|tally: &TallyView| tally.packets) as fn(&TallyView) -> u64,
            ),
            ("reason_bytes", "Layer-3 bytes of those packets.", |tally| tally.bytes),
        ] {
            out.counters(
                name,
                help,
                links.iter().flat_map(|(name, link)| {
                    by_reason(link).map(move |(reason, direction, tally)| {
                        let labels =
                            [("interface", *name), ("direction", direction), ("reason", reason)];
                        (labels, count(&tally))
                    })
                }),
            )?;
        }
        Ok(())
    }

    fn encode_hosts(&self, out: &mut Writer<'_>) -> fmt::Result {
        let hosts = self.busiest();
        for (name, help, value) in [
            (
                "host_rate_bytes_per_second",
                "What passed in the last second, of the hosts with the highest rates or most excess.",
                (|flow: &FlowView| flow.bits_per_second as f64 / 8.0) as fn(&FlowView) -> f64,
            ),
            (
                "host_excess_packets",
                "Packets of these hosts that found no room, since the host is in the host table.",
                |flow| flow.excess_packets as f64,
            ),
        ] {
            out.gauges(
                name,
                help,
                hosts.values().flat_map(|host| {
                    DIRECTIONS.into_iter().zip([host.up.flow, host.down.flow]).map(
                        move |(direction, flow)| {
                            let labels = [("host", host.host.as_str()), ("direction", direction)];
                            (labels, value(&flow))
                        },
                    )
                }),
            )?;
        }
        Ok(())
    }

    /// The first hosts, taking turns between the orders, by name.
    fn busiest(&self) -> BTreeMap<&str, &HostView> {
        let most = self.facts.top_hosts;
        let mut orders = HostSort::ALL.map(|sort| self.sample.hosts.by(sort).take(most));
        let mut hosts = BTreeMap::new();
        for _ in 0..most {
            for host in orders.iter_mut().filter_map(Iterator::next) {
                if hosts.len() < most {
                    hosts.entry(host.host.as_str()).or_insert(host);
                }
            }
        }
        hosts
    }
}

/// Every reason and direction, also those that there was no packet of.
fn by_reason(link: &LinkView) -> impl Iterator<Item = (&'static str, &'static str, TallyView)> {
    Reason::ALL.iter().flat_map(|reason| {
        let ReasonView { up, down } = link.reasons.get(reason.name()).copied().unwrap_or_default();
        DIRECTIONS
            .into_iter()
            .zip([up, down])
            .map(|(direction, tally)| (reason.name(), direction, tally))
    })
}
