//! Which hosts to list, and in which order.

use std::{cmp::Reverse, fmt};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::HostView;

/// Order of a list of hosts, largest first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HostSort {
    /// by rate, then by bytes, sent to the host
    #[default]
    Down,
    /// by rate, then by bytes, sent by the host
    Up,
    /// by packets that found no room, in both directions
    Excess,
}

/// A question for a list of hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HostQuery {
    /// At most so many; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// In this order.
    #[serde(default)]
    #[param(inline, required = false)]
    pub sort: HostSort,
}

impl HostQuery {
    /// Puts hosts in order and keeps the first of them.
    #[must_use]
    pub fn answer(self, mut hosts: Vec<HostView>) -> Vec<HostView> {
        hosts.sort_by(|one, other| self.sort.key(one).cmp(&self.sort.key(other)));
        hosts.truncate(self.top.unwrap_or(usize::MAX));
        hosts
    }
}

impl fmt::Display for HostSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Excess => "excess",
        })
    }
}

impl HostSort {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::Down, Self::Up, Self::Excess];

    /// What a list in this order is sorted by.
    pub(super) fn key(self, host: &HostView) -> (Reverse<(u64, u64)>, &str) {
        (Reverse(self.weight(host)), &host.host)
    }

    fn weight(self, host: &HostView) -> (u64, u64) {
        let (up, down) = (host.up.flow, host.down.flow);
        match self {
            Self::Down => (down.bits_per_second, down.passed_bytes),
            Self::Up => (up.bits_per_second, up.passed_bytes),
            Self::Excess => (
                up.excess_packets.saturating_add(down.excess_packets),
                up.excess_bytes.saturating_add(down.excess_bytes),
            ),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::telemetry::{FlowView, HostFlowView};

    pub(in crate::telemetry) fn host(
        name: &str,
        up_rate: u64,
        down_rate: u64,
        excess_packets: u64,
    ) -> HostView {
        let flow = |bits_per_second, excess_packets| HostFlowView {
            flow: FlowView { bits_per_second, excess_packets, ..FlowView::default() },
            wait_ns: 0,
        };
        HostView {
            host: name.to_owned(),
            limit: None,
            group: None,
            up: flow(up_rate, excess_packets),
            down: flow(down_rate, 0),
            last_seen_seconds_ago: None,
        }
    }

    fn names(sort: HostSort, top: Option<usize>) -> Vec<String> {
        let hosts = vec![host("a", 1, 3, 2), host("b", 3, 2, 1), host("c", 2, 1, 3)];
        HostQuery { top, sort }.answer(hosts).into_iter().map(|host| host.host).collect()
    }

    #[test]
    fn the_largest_come_first() {
        assert_eq!(names(HostSort::Down, None), ["a", "b", "c"]);
        assert_eq!(names(HostSort::Up, None), ["b", "c", "a"]);
        assert_eq!(names(HostSort::Excess, None), ["c", "a", "b"]);
    }

    #[test]
    fn top_keeps_the_first() {
        assert_eq!(names(HostSort::Up, Some(1)), ["b"]);
        assert_eq!(names(HostSort::Up, Some(0)), Vec::<String>::new());
    }
}
