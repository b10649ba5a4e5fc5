//! The policy as it is shown: the same rows make the tables and the JSON.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};
use utoipa::ToSchema;

use super::{
    Action, ByteRate, Group, GroupName, Limit, LimitKey, Match, PacketRate, ParentAction, Rates,
    Scope,
};

/// A limit, with `null` where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitView {
    /// The addresses it applies to.
    #[schema(value_type = String, example = "10.0.0.0/24")]
    pub prefix: IpNet,
    /// Whose address they are.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Who shares a bucket.
    pub scope: Scope,
    /// What happens to excess.
    pub action: Action,
    /// The group whose buckets are charged as well.
    pub group: Option<GroupName>,
    /// Packets sent by hosts.
    pub up: RatesView,
    /// Packets sent to hosts.
    pub down: RatesView,
    /// Packets of both directions together.
    pub total: RatesView,
    /// Bytes that each byte bucket grants before it starts to count.
    pub one_time_burst_bytes: Option<u64>,
    /// A packet counts as one packet for each so many bytes that it begins.
    pub packet_unit_bytes: Option<u64>,
}

impl LimitView {
    /// What tells the limit from all others.
    #[must_use]
    pub fn key(&self) -> LimitKey {
        LimitKey { prefix: self.prefix, matches: self.matches }
    }

    /// What it has besides rates, in words.
    pub fn extras(&self) -> impl Iterator<Item = String> {
        let named = [
            ("one-time burst", self.one_time_burst_bytes),
            ("packet unit", self.packet_unit_bytes),
        ];
        let set = named.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
        set.map(|(name, bytes)| format!("{name} {}", Size::from_bytes(bytes)))
    }
}

/// A group, with `null` where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// Its name.
    pub name: GroupName,
    /// What happens to packets that it has no room for.
    pub action: ParentAction,
    /// Packets sent by its hosts.
    pub up: RatesView,
    /// Packets sent to its hosts.
    pub down: RatesView,
    /// Packets of both directions together.
    pub total: RatesView,
}

/// The limit of a link, with `null` where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkLimitView {
    /// Name of the interface.
    pub interface: String,
    /// Where the hosts are: `far` or `near`.
    pub side: String,
    /// How the program is attached: `tcx` or `clsact`.
    pub hook: String,
    /// What happens to packets that the link has no room for.
    pub action: ParentAction,
    /// Counted on top of the layer-3 length of every packet.
    pub overhead_bytes: u16,
    /// Packets sent by hosts.
    pub up: RatesView,
    /// Packets sent to hosts.
    pub down: RatesView,
    /// Packets of both directions together.
    pub total: RatesView,
    /// Whether limits can delay packets on it; `null` when none does.
    pub pace_ready: Option<bool>,
}

/// The rates of one direction, or of both together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RatesView {
    /// Layer-3 bits per second; the nearest whole number when there is a refill time.
    pub bits_per_second: Option<u64>,
    /// Burst in bytes.
    pub burst_bytes: Option<u64>,
    /// Time in which the burst in bytes comes back, when the rate was stated so.
    pub refill_time_ns: Option<u64>,
    /// Wire packets per second; the nearest whole number when there is a refill time.
    pub packets_per_second: Option<u64>,
    /// Burst in packets.
    pub burst_packets: Option<u64>,
    /// Time in which the burst in packets comes back, when the rate was stated so.
    pub packets_refill_time_ns: Option<u64>,
}

impl From<&Limit> for LimitView {
    fn from(limit: &Limit) -> Self {
        Self {
            prefix: limit.prefix,
            matches: limit.matches,
            scope: limit.scope,
            action: limit.action,
            group: limit.group.clone(),
            up: limit.up.into(),
            down: limit.down.into(),
            total: limit.total.into(),
            one_time_burst_bytes: limit.one_time_burst.map(Size::bytes),
            packet_unit_bytes: limit.packet_unit.map(Size::bytes),
        }
    }
}

impl From<&Group> for GroupView {
    fn from(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            action: group.action,
            up: group.up.into(),
            down: group.down.into(),
            total: group.total.into(),
        }
    }
}

impl From<Rates> for RatesView {
    fn from(rates: Rates) -> Self {
        let (bytes, packets) = (rates.bytes, rates.packets);
        Self {
            bits_per_second: bytes.map(|bytes| bytes.rate.bits_per_second()),
            burst_bytes: bytes.map(|bytes| bytes.burst.bytes()),
            refill_time_ns: bytes.and_then(|bytes| bytes.refill).map(Span::nanoseconds),
            packets_per_second: packets.map(|packets| packets.rate.packets_per_second()),
            burst_packets: packets.map(|packets| packets.burst_packets),
            packets_refill_time_ns: packets
                .and_then(|packets| packets.refill)
                .map(Span::nanoseconds),
        }
    }
}

impl From<RatesView> for Rates {
    fn from(view: RatesView) -> Self {
        let bytes = view.bits_per_second.map(|rate| ByteRate {
            rate: BitRate::from_bits_per_second(rate),
            burst: Size::from_bytes(view.burst_bytes.unwrap_or_default()),
            refill: view.refill_time_ns.map(Span::from_nanoseconds),
        });
        let packets = view.packets_per_second.map(|rate| PacketRate {
            rate: PacketsPerSecond::from_packets_per_second(rate),
            burst_packets: view.burst_packets.unwrap_or_default(),
            refill: view.packets_refill_time_ns.map(Span::from_nanoseconds),
        });
        Self { bytes, packets }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::{GroupRequest, LimitRequest, RatesRequest};

    fn down(bits_per_second: u64) -> RatesRequest {
        RatesRequest { bits_per_second: Some(bits_per_second), ..Default::default() }
    }

    fn empty() -> serde_json::Value {
        json!({"bits_per_second": null, "burst_bytes": null, "refill_time_ns": null,
               "packets_per_second": null, "burst_packets": null, "packets_refill_time_ns": null})
    }

    #[test]
    fn the_json_has_every_key_and_null_where_nothing_is_set() {
        let request = LimitRequest { down: down(10_000_000), ..Default::default() };
        let limit = request.check("10.0.0.0/24".parse().unwrap()).unwrap().value;
        let mut limited = empty();
        limited["bits_per_second"] = 10_000_000.into();
        limited["burst_bytes"] = 312_500.into();
        assert_eq!(
            serde_json::to_value(LimitView::from(&limit)).unwrap(),
            json!({
                "prefix": "10.0.0.0/24", "match": "host", "scope": "each", "action": "drop",
                "group": null, "up": empty(), "down": limited, "total": empty(),
                "one_time_burst_bytes": null, "packet_unit_bytes": null,
            })
        );
        let request = GroupRequest { down: down(10_000_000), ..Default::default() };
        let group = request.check("acme".parse().unwrap()).unwrap().value;
        assert_eq!(
            serde_json::to_value(GroupView::from(&group)).unwrap(),
            json!({"name": "acme", "action": "drop", "up": empty(), "down": limited,
                   "total": empty()})
        );
    }

    #[test]
    fn a_limit_with_everything_shows_everything() {
        let refilled = RatesRequest {
            burst_bytes: Some(1 << 20),
            refill_time_ns: Some(100_000_000),
            burst_packets: Some(10),
            packets_refill_time_ns: Some(10_000_000),
            ..Default::default()
        };
        let request = LimitRequest {
            action: "pace:20ms".parse().unwrap(),
            group: Some("acme".parse().unwrap()),
            total: refilled,
            one_time_burst_bytes: Some(5_000_000),
            packet_unit_bytes: Some(1500),
            ..Default::default()
        };
        let limit = request.check("10.0.0.0/24".parse().unwrap()).unwrap().value;
        assert_eq!(
            serde_json::to_value(LimitView::from(&limit)).unwrap(),
            json!({
                "prefix": "10.0.0.0/24", "match": "host", "scope": "each", "action": "pace:20ms",
                "group": "acme", "up": empty(), "down": empty(),
                "total": {"bits_per_second": 83_886_080, "burst_bytes": 1 << 20,
                          "refill_time_ns": 100_000_000, "packets_per_second": 1000,
                          "burst_packets": 10, "packets_refill_time_ns": 10_000_000},
                "one_time_burst_bytes": 5_000_000, "packet_unit_bytes": 1500,
            })
        );
        assert_eq!(Rates::from(RatesView::from(limit.total)), limit.total);
    }
}
