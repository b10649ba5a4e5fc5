//! One host, explained.

use std::fmt::Display;

use super::{
    Show, Table,
    format::{bytes, nanoseconds, seconds},
    views::figures,
};
use crate::{
    datapath::Place,
    policy::Rates,
    telemetry::{
        BucketView, FlowView, HostExplained, LastExcessView, LevelFlowView, LevelKind, LevelView,
    },
};

/// Prefixes that are named one by one.
const NAMED: usize = 4;

impl Show for HostExplained {
    fn words(&self) -> Vec<String> {
        let mut words = vec![self.held_by(), self.kept()];
        if !self.exempt_peers.is_empty() {
            words.push(format!("Packets to and from {} are exempt.", some_of(&self.exempt_peers)));
        }
        let waits = [self.up_wait_ns, self.down_wait_ns].map(nanoseconds);
        words.push(format!("Wait at all levels: up {}, down {}.", waits[0], waits[1]));
        let last = [("up", &self.up_last_excess), ("down", &self.down_last_excess)];
        words.push(match last {
            [(_, None), (_, None)] => "No packet has found no room.".to_owned(),
            last => {
                format!("Last excess: {}.", last.map(|(way, last)| excess(way, last)).join(", "))
            }
        });
        words
    }

    fn tables(&self) -> Vec<Table> {
        let rows = self.levels.iter().flat_map(level);
        let head = ["LEVEL", "", "RATE", ">DEBT", ">OF BURST", ">FOR", ">WAIT"];
        let flows = [("up", self.host.up.flow), ("down", self.host.down.flow)];
        let counters = ["", ">RATE", ">PASSED", ">PACKETS", ">EXCESS", ">EXCESS PACKETS"];
        let mut tables = vec![Table::new(counters, flows.map(|(name, flow)| counted(name, &flow)))];
        if !self.levels.is_empty() {
            tables.insert(0, Table::new(head, rows));
        }
        tables
    }
}

impl HostExplained {
    /// Which limit holds it and why.
    fn held_by(&self) -> String {
        let name = &self.host.host;
        let Some(limit) = self.host.limit else {
            return format!("{name} is held by no limit.");
        };
        let how = match (self.scope, self.action, &self.host.group) {
            (Some(scope), Some(action), Some(group)) => {
                format!(" ({scope}, {action}, group {group})")
            }
            (Some(scope), Some(action), None) => format!(" ({scope}, {action})"),
            (None, _, _) | (_, None, _) => String::new(),
        };
        match self.prefixes.as_slice() {
            [] | [_] => format!("{name} is held by {limit}{how}, the only prefix that holds it."),
            all => format!(
                "{name} is held by {limit}{how}, the longest prefix of {} that hold it: {}.",
                all.len(),
                some_of(all)
            ),
        }
    }

    /// Where it is kept.
    fn kept(&self) -> String {
        match (self.place, self.host.last_seen_seconds_ago) {
            (Place::Table, Some(ago)) => {
                format!("It is in the host table; its last packet came {} ago.", seconds(ago))
            }
            (Place::Table, None) => {
                "It is in the host table; no packet of it has come yet.".to_owned()
            }
            (Place::Overflow, _) => {
                "It is not in the host table. If that has no room for it, it is \
                                     charged to overflow buckets with others that have none."
                    .to_owned()
            }
            (Place::Absent, _) => {
                "It is not in the host table: no packet of it has come lately.".to_owned()
            }
        }
    }
}

/// The first few, and how many more there are.
fn some_of(all: &[impl Display]) -> String {
    let named: Vec<_> = all.iter().take(NAMED).map(ToString::to_string).collect();
    match all.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn excess(way: &str, last: &Option<LastExcessView>) -> String {
    match last {
        Some(last) => format!("{way} {} {} ago", last.reason, seconds(last.seconds_ago)),
        None => format!("{way} never"),
    }
}

/// A row per bucket: two for both directions, or one for their total.
fn level(level: &LevelView) -> Vec<[String; 7]> {
    let name = match (level.level, &level.name) {
        (LevelKind::Host, _) => "host".to_owned(),
        (LevelKind::Overflow, _) => "overflow".to_owned(),
        (LevelKind::Group, Some(name)) => format!("group {name}"),
        (LevelKind::Link, Some(name)) => format!("link {name}"),
        (LevelKind::Prefix | LevelKind::Group | LevelKind::Link, name) => {
            name.clone().unwrap_or_default()
        }
    };
    let mut rows = Vec::new();
    for (way, flow) in [("up", &level.up), ("down", &level.down)] {
        let rates = Rates::from(flow.rates);
        rows.extend(bucket(way, flow, flow.bytes, rates.bytes.map(|rate| rate.to_string()), bytes));
        let packets = rates.packets.map(|rate| rate.to_string());
        rows.extend(bucket(way, flow, flow.packets, packets, |debt| format!("{debt} packets")));
    }
    for (number, row) in rows.iter_mut().enumerate() {
        row[0] = if number == 0 { name.clone() } else { String::new() };
    }
    rows
}

/// The row of a bucket; a total is shown once.
fn bucket(
    way: &str,
    flow: &LevelFlowView,
    bucket: Option<BucketView>,
    rate: Option<String>,
    units: impl Fn(u64) -> String,
) -> Option<[String; 7]> {
    let bucket = bucket?;
    let way = match (bucket.is_total, way) {
        (true, "up") => "total",
        (true, _) => return None,
        (false, way) => way,
    };
    let debt =
        if bucket.credit > 0 { format!("-{}", units(bucket.credit)) } else { units(bucket.debt) };
    Some([
        String::new(),
        way.to_owned(),
        rate.unwrap_or_default(),
        debt,
        format!("{:.0}%", bucket.percent_of_burst),
        nanoseconds(bucket.debt_ns),
        nanoseconds(flow.wait_ns),
    ])
}

fn counted(name: &str, flow: &FlowView) -> [String; 6] {
    let [rate, passed, packets, excess, excess_packets] = figures(flow);
    [name.to_owned(), rate, passed, packets, excess, excess_packets]
}
