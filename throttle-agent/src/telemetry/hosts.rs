//! Which hosts to list, and in which order.

use std::{cmp::Reverse, fmt};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{HostView, meter::Pair, ranking::Weight};
use crate::datapath::{HostPlace, HostReading, Tally};

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

    fn weight(self, host: &HostView) -> Weight {
        let (up, down) = (host.up.flow, host.down.flow);
        let tally = |packets, bytes| Tally { packets, bytes };
        let reading = HostReading {
            place: HostPlace::default(),
            passed: [up, down].map(|flow| tally(flow.passed_packets, flow.passed_bytes)),
            excess: [up, down].map(|flow| tally(flow.excess_packets, flow.excess_bytes)),
        };
        self.weight_of(&reading, [up.bits_per_second, down.bits_per_second])
    }

    /// What a host with these counters and rates is sorted by.
    pub(super) fn weight_of(self, host: &HostReading, [up, down]: Pair) -> Weight {
        match self {
            Self::Down => (down, host.passed[1].bytes),
            Self::Up => (up, host.passed[0].bytes),
            Self::Excess => {
                let [up, down] = host.excess;
                (up.packets.saturating_add(down.packets), up.bytes.saturating_add(down.bytes))
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::telemetry::{FlowView, HostFlowView, HostView};

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
}
