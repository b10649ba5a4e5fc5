//! Which columns each kind of data has.

use throttle_common::units::Size;

use super::{
    Show, Table,
    format::{bits_per_second, bytes, or_dash, seconds},
};
use crate::{
    control::StatusView,
    datapath::Position,
    policy::{GroupView, LimitView, LinkLimitView, Rates, RatesView},
    telemetry::{FlowView, HostView, StatsView},
};

impl Show for LimitView {
    fn tables(&self) -> Vec<Table> {
        vec![limits(std::slice::from_ref(self))]
    }
}

impl Show for Vec<LimitView> {
    fn tables(&self) -> Vec<Table> {
        vec![limits(self)]
    }
}

impl Show for GroupView {
    fn tables(&self) -> Vec<Table> {
        vec![groups(std::slice::from_ref(self))]
    }
}

impl Show for Vec<GroupView> {
    fn tables(&self) -> Vec<Table> {
        vec![groups(self)]
    }
}

impl Show for LinkLimitView {
    fn tables(&self) -> Vec<Table> {
        vec![links(std::slice::from_ref(self))]
    }
}

impl Show for Vec<LinkLimitView> {
    fn tables(&self) -> Vec<Table> {
        vec![links(self)]
    }
}

impl Show for Vec<HostView> {
    fn tables(&self) -> Vec<Table> {
        let row = |host: &HostView| {
            [
                host.host.clone(),
                or_dash(host.limit),
                or_dash(host.group.as_ref()),
                bits_per_second(host.up.flow.bits_per_second),
                bits_per_second(host.down.flow.bits_per_second),
                bytes(host.up.flow.passed_bytes),
                bytes(host.down.flow.passed_bytes),
                host.up.flow.excess_packets.to_string(),
                host.down.flow.excess_packets.to_string(),
                or_dash(host.last_seen_seconds_ago.map(seconds)),
            ]
        };
        let head = [
            "HOST",
            "LIMIT",
            "GROUP",
            ">UP RATE",
            ">DOWN RATE",
            ">UP",
            ">DOWN",
            ">UP EXCESS",
            ">DOWN EXCESS",
            ">LAST SEEN",
        ];
        vec![Table::new(head, self.iter().map(row))]
    }
}

impl Show for StatsView {
    fn tables(&self) -> Vec<Table> {
        let links = self.links.iter().flat_map(|link| {
            let name =
                format!("{} ({}, {})", or_dash(link.interface.as_ref()), link.side, link.hook);
            flows(&name, &link.up, &link.down)
        });
        let groups =
            self.groups.iter().flat_map(|group| flows(group.name.as_str(), &group.up, &group.down));
        let limits = self
            .limits
            .iter()
            .flat_map(|limit| flows(&limit.key().to_string(), &limit.up, &limit.down));
        let reasons = self.reasons.iter().filter(|(_, packets)| **packets > 0);
        let hosts = self.hosts;
        vec![
            Table::new(flow_head("LINK"), links),
            Table::new(flow_head("GROUP"), groups),
            Table::new(flow_head("LIMIT"), limits),
            Table::new(
                ["REASON", ">PACKETS"],
                reasons.map(|(name, packets)| [name.clone(), packets.to_string()]),
            ),
            Table::new(
                [">HOSTS", ">CAPACITY", ">OVERFLOWED"],
                [[hosts.tracked, hosts.capacity, hosts.overflowed].map(|count| count.to_string())],
            ),
        ]
    }
}

impl Show for StatusView {
    fn tables(&self) -> Vec<Table> {
        let agent = Table::new(
            ["INSTANCE", "VERSION", ">PID", ">UPTIME", "ADOPTED", ">LIMITS", ">HOSTS"],
            [[
                self.instance.clone(),
                self.version.clone(),
                self.pid.to_string(),
                seconds(self.uptime_seconds),
                if self.adopted { "yes" } else { "no" }.to_owned(),
                self.limits.to_string(),
                format!("{}/{}", self.hosts.tracked, self.hosts.capacity),
            ]],
        );
        let name = self.netns.name.as_deref().unwrap_or("(its own)");
        let netns = format!("{name} (inode {})", self.netns.inode);
        let place =
            Table::new(["SOCKET", "NETWORK NAMESPACE"], [[self.control_socket.clone(), netns]]);
        let links = self.links.iter().map(|link| {
            let name = or_dash(link.interface.as_ref());
            [
                name,
                link.ifindex.to_string(),
                link.side.clone(),
                link.hook.clone(),
                or_dash(link.ingress.map(position)),
                or_dash(link.egress.map(position)),
                or_dash(link.qdisc.as_ref()),
                link.state.replace('_', " "),
                pace_ready(link.pace_ready),
            ]
        });
        let head =
            ["LINK", ">INDEX", "SIDE", "HOOK", "INGRESS", "EGRESS", "QDISC", "STATE", "PACES"];
        vec![agent, place, Table::new(head, links)]
    }
}

fn flow_head(name: &'static str) -> [&'static str; 7] {
    [name, "", ">RATE", ">PASSED", ">PACKETS", ">EXCESS", ">EXCESS PACKETS"]
}

fn flows(name: &str, up: &FlowView, down: &FlowView) -> [[String; 7]; 2] {
    [(name, "up", up), ("", "down", down)].map(|(name, direction, flow)| {
        let [rate, passed, packets, excess, excess_packets] = figures(flow);
        [name.to_owned(), direction.to_owned(), rate, passed, packets, excess, excess_packets]
    })
}

pub(super) fn figures(flow: &FlowView) -> [String; 5] {
    [
        bits_per_second(flow.bits_per_second),
        bytes(flow.passed_bytes),
        flow.passed_packets.to_string(),
        bytes(flow.excess_bytes),
        flow.excess_packets.to_string(),
    ]
}

fn limits(limits: &[LimitView]) -> Table {
    let row = |limit: &LimitView| {
        let extras: Vec<_> = limit.extras().collect();
        [
            limit.key().to_string(),
            limit.scope.to_string(),
            limit.action.to_string(),
            or_dash(limit.group.as_ref()),
            rates(limit.up),
            rates(limit.down),
            rates(limit.total),
            or_dash(Some(extras.join(", ")).filter(|text| !text.is_empty())),
        ]
    };
    let head = ["PREFIX", "SCOPE", "ACTION", "GROUP", "UP", "DOWN", "TOTAL", "ALSO"];
    Table::new(head, limits.iter().map(row))
}

fn groups(groups: &[GroupView]) -> Table {
    let row = |group: &GroupView| {
        [
            group.name.to_string(),
            group.action.to_string(),
            rates(group.up),
            rates(group.down),
            rates(group.total),
        ]
    };
    Table::new(["GROUP", "ACTION", "UP", "DOWN", "TOTAL"], groups.iter().map(row))
}

fn links(links: &[LinkLimitView]) -> Table {
    let row = |link: &LinkLimitView| {
        [
            link.interface.clone(),
            link.side.clone(),
            link.hook.clone(),
            link.action.to_string(),
            rates(link.up),
            rates(link.down),
            rates(link.total),
            Size::from_bytes(link.overhead_bytes.into()).to_string(),
            pace_ready(link.pace_ready),
        ]
    };
    let head = ["LINK", "SIDE", "HOOK", "ACTION", "UP", "DOWN", "TOTAL", ">OVERHEAD", PACE_READY];
    Table::new(head, links.iter().map(row))
}

const PACE_READY: &str = "PACE READY";

/// The place among TCX programs, as in `1/2`, or priority and handle of a filter, as in `10 0x7468`.
fn position(position: Position) -> String {
    match position {
        Position::Tcx { place, of } => format!("{place}/{of}"),
        Position::Clsact { priority, handle } => format!("{priority} {handle:#x}"),
    }
}

/// Whether a link can delay packets; a dash where no limit wants it to.
fn pace_ready(is_ready: Option<bool>) -> String {
    or_dash(is_ready.map(|ready| if ready { "yes" } else { "no" }))
}

/// Rates with their bursts in the form in which they can be typed.
fn rates(view: RatesView) -> String {
    Rates::from(view).to_string()
}

#[cfg(test)]
mod tests;
