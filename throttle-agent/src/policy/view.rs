//! A limit as it is shown: the same rows make the table and the JSON.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Action, Limit, Rates, Scope};

/// A limit, with `null` where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// The addresses it applies to.
    pub prefix: IpNet,
    /// Who shares a bucket.
    pub scope: Scope,
    /// What happens to excess.
    pub action: Action,
    /// The group that its hosts are members of.
    pub group: Option<String>,
    /// Packets sent by hosts.
    pub up: RatesView,
    /// Packets sent to hosts.
    pub down: RatesView,
    /// Packets of both directions together.
    pub total: RatesView,
}

/// The rates of one direction, or of both together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatesView {
    /// Layer-3 bits per second.
    pub bits_per_second: Option<u64>,
    /// Burst in bytes.
    pub burst_bytes: Option<u64>,
    /// Wire packets per second.
    pub packets_per_second: Option<u64>,
    /// Burst in packets.
    pub burst_packets: Option<u64>,
}

impl RatesView {
    /// Whether anything is limited.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.bits_per_second.or(self.packets_per_second).is_some()
    }
}

impl From<&Limit> for LimitView {
    fn from(limit: &Limit) -> Self {
        Self {
            prefix: limit.prefix,
            scope: limit.scope,
            action: limit.action,
            group: None,
            up: limit.up.into(),
            down: limit.down.into(),
            total: limit.total.into(),
        }
    }
}

impl From<Rates> for RatesView {
    fn from(rates: Rates) -> Self {
        Self {
            bits_per_second: rates.bytes.map(|bytes| bytes.rate.bits_per_second()),
            burst_bytes: rates.bytes.map(|bytes| bytes.burst.bytes()),
            packets_per_second: rates.packets.map(|packets| packets.rate.packets_per_second()),
            burst_packets: rates.packets.map(|packets| packets.burst_packets),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::{LimitRequest, RatesRequest};

    #[test]
    fn the_json_has_every_key_and_null_where_nothing_is_set() {
        let request = LimitRequest {
            down: RatesRequest { bits_per_second: Some(10_000_000), ..Default::default() },
            ..Default::default()
        };
        let limit = request.check("10.0.0.0/24".parse().unwrap()).unwrap().limit;
        let empty = json!({"bits_per_second": null, "burst_bytes": null,
                           "packets_per_second": null, "burst_packets": null});
        assert_eq!(
            serde_json::to_value(LimitView::from(&limit)).unwrap(),
            json!({
                "prefix": "10.0.0.0/24", "scope": "each", "action": "drop", "group": null,
                "up": empty,
                "down": {"bits_per_second": 10_000_000, "burst_bytes": 312_500,
                         "packets_per_second": null, "burst_packets": null},
                "total": empty,
            })
        );
    }
}
