//! What the web page shows, of one sample.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use serde::Serialize;
use throttle_common::verdict::Reason;
use tokio::sync::Mutex;

use super::latest::Sample;
use crate::{
    agent::{Agent, Engine},
    error::{Kind, Result, ResultExt},
    policy::{GroupView, LimitKey, LimitView, RatesView},
    telemetry::{
        FlowView, GroupUsageView, HostSort, HostView, HostsView, LimitUsageView, LinkView,
        StatsView,
    },
};

/// Rows of each table, and hosts of each order.
const ROWS: usize = 50;

/// The newest sample as JSON, made once for all who ask.
#[derive(Debug, Default)]
pub(super) struct Live {
    made: Mutex<Option<(Arc<Sample>, Bytes)>>,
}

impl Live {
    /// What the page shows of a sample.
    pub(super) async fn text(&self, agent: &Arc<Agent>, sample: Arc<Sample>) -> Result<Bytes> {
        let mut made = self.made.lock().await;
        if let Some((made_of, text)) = &*made
            && Arc::ptr_eq(made_of, &sample)
        {
            return Ok(text.clone());
        }
        let of = Arc::clone(&sample);
        let shown = Shown::of(agent);
        let text = agent
            .with(move |engine| {
                let view = LiveView::new(shown, &of, engine);
                serde_json::to_vec(&view).doing(Kind::Failed, || "writing a sample as JSON")
            })
            .await?;
        let text = Bytes::from(text);
        *made = Some((sample, text.clone()));
        Ok(text)
    }
}

/// What is known of the agent without asking the datapath.
#[derive(Debug, Serialize)]
struct Shown {
    instance: String,
    version: &'static str,
    uptime_seconds: f64,
    events: u64,
    lost_events: u64,
}

impl Shown {
    fn of(agent: &Agent) -> Self {
        Self {
            instance: agent.info.instance.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: agent.info.started.elapsed().as_secs_f64(),
            events: agent.events.count(),
            lost_events: agent.events.lost(),
        }
    }
}

#[derive(Debug, Serialize)]
struct LiveView<'a> {
    #[serde(flatten)]
    agent: Shown,
    at_unix_ms: u64,
    generation: u32,
    hosts: HostsView,
    limits_in_force: usize,
    groups_in_force: usize,
    links: Vec<Row<'a, LinkView>>,
    reasons: Vec<ReasonRow>,
    groups: Vec<Row<'a, GroupUsageView>>,
    limits: Vec<&'a LimitUsageView>,
    top_hosts: Vec<&'a HostView>,
    /// Of the limits in the tables and of those that hold the hosts.
    policies: BTreeMap<String, LimitView>,
}

/// Counters beside what is allowed.
#[derive(Debug, Serialize)]
struct Row<'a, T> {
    #[serde(flatten)]
    used: &'a T,
    allowed: Option<Allowed>,
}

#[derive(Debug, Serialize)]
struct Allowed {
    up: RatesView,
    down: RatesView,
    total: RatesView,
}

/// Packets of one reason, over all links and both directions.
#[derive(Debug, Serialize)]
struct ReasonRow {
    reason: &'static str,
    packets: u64,
    refuses: bool,
}

impl ReasonRow {
    fn new(reason: Reason, stats: &StatsView) -> Self {
        let packets = stats.reasons.get(reason.name()).copied().unwrap_or_default();
        Self { reason: reason.name(), packets, refuses: reason.refuses() }
    }
}

impl<'a> LiveView<'a> {
    fn new(agent: Shown, sample: &'a Sample, engine: &dyn Engine) -> Self {
        let stats = &*sample.stats;
        let limits = busiest(&stats.limits, |limit| [limit.up, limit.down]);
        let groups = busiest(&stats.groups, |group| [group.up, group.down]);
        let top_hosts = first_hosts(sample);
        let of_hosts = top_hosts.iter().filter_map(|host| host.limit).map(LimitKey::host);
        let keys = limits.iter().map(|limit| limit.key()).chain(of_hosts);
        let policies = keys
            .filter_map(|key| Some((key.to_string(), LimitView::from(&engine.limit(&key)?))))
            .collect();
        Self {
            at_unix_ms: sample.at_unix_ms,
            generation: stats.generation,
            hosts: stats.hosts,
            limits_in_force: stats.limits.len(),
            groups_in_force: stats.groups.len(),
            links: stats.links.iter().map(|link| link_row(link, engine)).collect(),
            reasons: Reason::ALL.iter().map(|&reason| ReasonRow::new(reason, stats)).collect(),
            groups: groups.into_iter().map(|group| group_row(group, engine)).collect(),
            limits,
            top_hosts,
            policies,
            agent,
        }
    }
}

fn link_row<'a>(link: &'a LinkView, engine: &dyn Engine) -> Row<'a, LinkView> {
    let limit = link.interface.as_deref().and_then(|name| engine.link_limit(name));
    let allowed = limit.map(|limit| Allowed {
        up: limit.up.into(),
        down: limit.down.into(),
        total: limit.total.into(),
    });
    Row { used: link, allowed }
}

fn group_row<'a>(group: &'a GroupUsageView, engine: &dyn Engine) -> Row<'a, GroupUsageView> {
    let limit = engine.group(&group.name).map(|group| GroupView::from(&group));
    let allowed = limit.map(|GroupView { up, down, total, .. }| Allowed { up, down, total });
    Row { used: group, allowed }
}

/// The rows with the highest rates, then with most bytes.
fn busiest<T>(rows: &[T], flows: impl Fn(&T) -> [FlowView; 2]) -> Vec<&T> {
    let weight = |row: &&T| {
        let flows = flows(row);
        let sum = |of: fn(&FlowView) -> u64| flows.iter().map(of).sum::<u64>();
        Reverse((sum(|flow| flow.bits_per_second), sum(|flow| flow.passed_bytes)))
    };
    let mut rows: Vec<_> = rows.iter().collect();
    if rows.len() > ROWS {
        rows.select_nth_unstable_by_key(ROWS - 1, weight);
        rows.truncate(ROWS);
    }
    rows.sort_by_key(weight);
    rows
}

/// The first hosts of every order.
fn first_hosts(sample: &Sample) -> Vec<&HostView> {
    let mut known = HashSet::new();
    let first = HostSort::ALL.into_iter().flat_map(|sort| sample.hosts.by(sort).take(ROWS));
    first.filter(|host| known.insert(host.host.as_str())).collect()
}
