//! Which columns each kind of data has.

use throttle_common::units::{BitRate, PacketsPerSecond, Size};

use super::{
    Show, Table,
    format::{bits_per_second, bytes, nanoseconds, or_dash, seconds},
};
use crate::{
    control::StatusView,
    policy::{LimitView, RatesView},
    telemetry::{FlowView, HostFlowView, HostView, StatsView},
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

impl Show for HostView {
    fn tables(&self) -> Vec<Table> {
        let seen = self.last_seen_seconds_ago.map(|ago| format!("{} ago", seconds(ago)));
        let host = Table::new(
            ["HOST", "LIMIT", "LAST SEEN"],
            [[self.host.clone(), or_dash(self.limit), or_dash(seen)]],
        );
        let flows = [("up", &self.up), ("down", &self.down)];
        vec![host, Table::new(HOST_FLOW, flows.map(|(name, flow)| host_flow(name, flow)))]
    }
}

impl Show for Vec<HostView> {
    fn tables(&self) -> Vec<Table> {
        let row = |host: &HostView| {
            [
                host.host.clone(),
                or_dash(host.limit),
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
        let limits = self
            .limits
            .iter()
            .flat_map(|limit| flows(&limit.prefix.to_string(), &limit.up, &limit.down));
        let reasons = self.reasons.iter().filter(|(_, packets)| **packets > 0);
        let hosts = self.hosts;
        vec![
            Table::new(flow_head("LINK"), links),
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
            ["INSTANCE", "VERSION", ">PID", ">UPTIME", "ADOPTED", ">LIMITS", ">HOSTS", "SOCKET"],
            [[
                self.instance.clone(),
                self.version.clone(),
                self.pid.to_string(),
                seconds(self.uptime_seconds),
                if self.adopted { "yes" } else { "no" }.to_owned(),
                self.limits.to_string(),
                format!("{}/{}", self.hosts.tracked, self.hosts.capacity),
                self.control_socket.clone(),
            ]],
        );
        let links = self.links.iter().map(|link| {
            let name = or_dash(link.interface.as_ref());
            [name, link.ifindex.to_string(), link.side.clone(), link.hook.clone()]
        });
        vec![agent, Table::new(["LINK", ">IFINDEX", "SIDE", "HOOK"], links)]
    }
}

const HOST_FLOW: [&str; 7] =
    ["", ">RATE", ">PASSED", ">PACKETS", ">EXCESS", ">EXCESS PACKETS", ">WAIT"];

fn host_flow(name: &str, HostFlowView { flow, wait_ns }: &HostFlowView) -> [String; 7] {
    let [rate, passed, packets, excess, excess_packets] = figures(flow);
    [name.to_owned(), rate, passed, packets, excess, excess_packets, nanoseconds(*wait_ns)]
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

fn figures(flow: &FlowView) -> [String; 5] {
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
        [
            limit.prefix.to_string(),
            limit.scope.to_string(),
            limit.action.to_string(),
            rates(&limit.up),
            rates(&limit.down),
            rates(&limit.total),
        ]
    };
    Table::new(["PREFIX", "SCOPE", "ACTION", "UP", "DOWN", "TOTAL"], limits.iter().map(row))
}

/// Rates with their bursts in the form in which they can be typed, as in `10mbit burst 312500b`.
pub(crate) fn rates(rates: &RatesView) -> String {
    let bits = rates.bits_per_second.map(|bits| {
        let burst = Size::from_bytes(rates.burst_bytes.unwrap_or_default());
        format!("{} burst {burst}", BitRate::from_bits_per_second(bits))
    });
    let packets = rates.packets_per_second.map(|packets| {
        let burst = rates.burst_packets.unwrap_or_default();
        format!("{} burst {burst}", PacketsPerSecond::from_packets_per_second(packets))
    });
    match (bits, packets) {
        (Some(bits), Some(packets)) => format!("{bits}, {packets}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_printed_in_the_form_in_which_they_are_typed() {
        let view = RatesView {
            bits_per_second: Some(10_000_000),
            burst_bytes: Some(312_500),
            packets_per_second: Some(2_000),
            burst_packets: Some(500),
        };
        assert_eq!(rates(&view), "10mbit burst 312500b, 2kpps burst 500");
        let nothing = RatesView { bits_per_second: None, packets_per_second: None, ..view };
        assert_eq!(rates(&nothing), "-");
    }
}
