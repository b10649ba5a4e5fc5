//! What is in force asks for itself.

use proptest::{collection::btree_map, option, prelude::*};
use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

use super::*;
use crate::policy::{
    ByteRate, Group, GroupName, Limit, LinkLimit, PacketRate, ParentAction, Policy, Rates,
    action::tests::charging,
};

fn byte_rate() -> impl Strategy<Value = ByteRate> {
    let refill = (1_000_000_u64..=86_400_000_000_000).prop_flat_map(|time_ns| {
        // Rounded up, so that the least rate is not below 8 kbit/s.
        let least = time_ns / 1_000_000 + 1;
        let most = time_ns.saturating_mul(50);
        (least..=most).prop_map(move |bytes| {
            ByteRate::refilled(Size::from_bytes(bytes), Span::from_nanoseconds(time_ns))
        })
    });
    let plain = (8_000_u64..=400_000_000_000, 1_u64..=86_400_000).prop_map(|(rate, burst)| {
        let rate = BitRate::from_bits_per_second(rate);
        ByteRate { rate, burst: Size::from_bytes(burst), refill: None }
    });
    prop_oneof![refill, plain]
}

fn packet_rate() -> impl Strategy<Value = PacketRate> {
    let refill = (1_u64..=1_000_000, 1_000_000_u64..=1_000_000_000)
        .prop_map(|(burst, time_ns)| PacketRate::refilled(burst, Span::from_nanoseconds(time_ns)));
    let plain = (1_u64..=1_000_000_000, 1_u64..=86_400).prop_map(|(rate, burst_packets)| {
        let rate = PacketsPerSecond::from_packets_per_second(rate);
        PacketRate { rate, burst_packets, refill: None }
    });
    prop_oneof![refill, plain]
}

fn rates() -> impl Strategy<Value = Rates> {
    (option::of(byte_rate()), option::of(packet_rate()))
        .prop_map(|(bytes, packets)| Rates { bytes, packets })
}

fn group_name() -> impl Strategy<Value = GroupName> {
    "[a-z0-9][a-zA-Z0-9_.-]{0,30}".prop_filter_map("a name", |name| name.parse().ok())
}

prop_compose! {
    /// A limit, a member of `group` or of none.
    fn limit(group: GroupName)(
        octets: [u8; 4],
        bits in 0_u8..=32,
        (shared, member) in any::<(bool, bool)>(),
        action in charging(),
        down in byte_rate(),
        up in rates(),
        one_time_burst in option::of(1_u64..=86_400_000),
        packet_unit in option::of(1_u64..=65_536),
    ) -> Limit {
        Limit {
            prefix: IpNet::new(octets.into(), bits).unwrap().trunc(),
            matches: Match::Host,
            scope: if shared { Scope::Shared } else { Scope::Each },
            action,
            group: member.then(|| group.clone()),
            up,
            down: Rates { bytes: Some(down), packets: None },
            total: Rates::default(),
            one_time_burst: one_time_burst.map(Size::from_bytes),
            packet_unit: packet_unit.filter(|_| up.packets.is_some()).map(Size::from_bytes),
        }
    }
}

/// A policy of limits under distinct prefixes, one group and one link.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    group_name().prop_flat_map(|name| {
        let limits = btree_map(any::<u8>(), limit(name.clone()), 0..8);
        let link = (rates(), any::<u16>());
        (limits, packet_rate(), link, any::<bool>()).prop_map(
            move |(limits, total, (link, overhead_bytes), observes)| {
                let action = if observes { ParentAction::Observe } else { ParentAction::Drop };
                let limits = limits.into_iter().map(|(number, limit)| Limit {
                    prefix: IpNet::new([10, number, 0, 0].into(), 16).unwrap(),
                    ..limit
                });
                let none = Rates::default();
                let total = Rates { bytes: None, packets: Some(total) };
                let name = name.clone();
                let link = LinkLimit { action, up: link, overhead_bytes, ..Default::default() };
                Policy {
                    limits: limits.collect(),
                    groups: vec![Group { name, action, up: none, down: none, total }],
                    links: [("eth1".to_owned(), link)].into(),
                }
            },
        )
    })
}

proptest! {
    #[test]
    fn an_accepted_limit_has_usable_rates(rate: Option<u64>, burst: Option<u64>, time: Option<u64>) {
        let rates = RatesRequest {
            bits_per_second: rate,
            burst_bytes: burst,
            refill_time_ns: time,
            ..Default::default()
        };
        if let Ok(checked) = up(rates).check(prefix()) {
            let bytes = checked.value.up.bytes.unwrap();
            prop_assert!((8_000..=400_000_000_000).contains(&bytes.rate.bits_per_second()));
            prop_assert!(bytes.burst.bytes() > 0);
        }
    }

    #[test]
    fn a_limit_asks_for_itself(limit in group_name().prop_flat_map(limit)) {
        let text = serde_json::to_string(&LimitRequest::from(&limit)).unwrap();
        let request: LimitRequest = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(request.check(limit.prefix).unwrap().value, limit);
    }

    #[test]
    fn a_policy_asks_for_itself(policy in policy()) {
        let text = serde_json::to_string(&PolicyRequest::from(&policy)).unwrap();
        let request: PolicyRequest = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(request.check(64).unwrap().value, policy);
    }
}
