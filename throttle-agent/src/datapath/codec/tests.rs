//! What is written into a map is read back as it was stated.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

use super::*;
use crate::policy::{ByteRate, PacketRate, Rates};

fn span() -> impl Strategy<Value = Span> {
    (1_u64..86_400_000_000_000).prop_map(Span::from_nanoseconds)
}

fn byte_rate() -> impl Strategy<Value = ByteRate> {
    let stated = (8_000_u64..=400_000_000_000, 1_u64..1 << 30).prop_map(|(rate, burst)| ByteRate {
        rate: BitRate::from_bits_per_second(rate),
        burst: Size::from_bytes(burst),
        refill: None,
    });
    let refilled = (1_u64..1 << 30, span())
        .prop_map(|(size, time)| ByteRate::refilled(Size::from_bytes(size), time));
    prop_oneof![stated, refilled.prop_filter("a rate", |rate| rate.rate.bits_per_second() > 0)]
}

fn packet_rate() -> impl Strategy<Value = PacketRate> {
    let stated =
        (1_u64..1_000_000_000, 1_u64..1_000_000).prop_map(|(rate, burst_packets)| PacketRate {
            rate: PacketsPerSecond::from_packets_per_second(rate),
            burst_packets,
            refill: None,
        });
    let refilled =
        (1_u64..1_000_000, span()).prop_map(|(packets, time)| PacketRate::refilled(packets, time));
    let refilled = refilled.prop_filter("a rate", |rate| rate.rate.packets_per_second() > 0);
    prop_oneof![stated, refilled]
}

fn rates() -> impl Strategy<Value = Rates> {
    (prop::option::of(byte_rate()), prop::option::of(packet_rate()))
        .prop_map(|(bytes, packets)| Rates { bytes, packets })
}

prop_compose! {
    /// Rates up, down and total, in which no direction shares a kind with the total.
    fn directions()(
        (up, down, total) in (rates(), rates(), rates()),
        (total_bytes, total_packets) in any::<(bool, bool)>(),
    ) -> (Rates, Rates, Rates) {
        let directed = |rates: Rates| Rates {
            bytes: rates.bytes.filter(|_| !total_bytes),
            packets: rates.packets.filter(|_| !total_packets),
        };
        let total = Rates {
            bytes: total.bytes.filter(|_| total_bytes),
            packets: total.packets.filter(|_| total_packets),
        };
        (directed(up), directed(down), total)
    }
}

fn action() -> impl Strategy<Value = Action> {
    let ecn_above = prop::option::of(span());
    prop_oneof![
        Just(Action::Drop),
        Just(Action::Ecn),
        (0_u8..64).prop_filter_map("a class", Dscp::new).prop_map(Action::Dscp),
        any::<u32>().prop_map(Action::Mark),
        ecn_above.prop_map(|ecn_above| Action::Pace { ecn_above }),
        Just(Action::Observe),
        Just(Action::Pass),
    ]
}

fn parent_action() -> impl Strategy<Value = ParentAction> {
    prop_oneof![Just(ParentAction::Drop), Just(ParentAction::Observe)]
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(octets, bits)| (octets.into(), bits));
    let v6 = (any::<[u8; 16]>(), 0_u8..=128).prop_map(|(octets, bits)| (octets.into(), bits));
    prop_oneof![v4, v6].prop_filter_map("a prefix", |(address, bits): (IpAddr, u8)| {
        IpNet::new(address, bits).ok().map(|net| net.trunc())
    })
}

prop_compose! {
    fn limit()(
        (prefix, peer, shared, action) in (prefix(), any::<bool>(), any::<bool>(), action()),
        (up, down, total) in directions(),
        one_time in prop::option::of(1_u64..1 << 30),
        unit in prop::option::of(1_u64..=1 << 16),
        in_group: bool,
    ) -> Limit {
        Limit {
            prefix,
            matches: if peer { Match::Peer } else { Match::Host },
            scope: if shared { Scope::Shared } else { Scope::Each },
            action,
            group: in_group.then(acme),
            up,
            down,
            total,
            one_time_burst: one_time.map(Size::from_bytes),
            packet_unit: unit.map(Size::from_bytes),
        }
    }
}

fn acme() -> GroupName {
    "acme".parse().unwrap()
}

proptest! {
    #[test]
    fn a_limit_is_read_back_as_it_was_written(limit in limit(), row in 1_u32..) {
        if let Ok(encoded) = encode(&limit, row) {
            prop_assert_eq!(encoded.group, row);
            prop_assert_eq!(decode(&encoded, limit.group.clone()).unwrap(), limit);
        }
    }

    #[test]
    fn a_group_is_read_back_as_it_was_written(
        name in "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,30}",
        action in parent_action(),
        (up, down, total) in directions(),
    ) {
        let group = Group { name: name.parse().unwrap(), action, up, down, total };
        prop_assert_eq!(decode_group(&encode_group(&group).unwrap()).unwrap(), group);
    }

    #[test]
    fn the_limit_of_a_link_is_read_back_as_it_was_written(
        action in parent_action(),
        (up, down, total) in directions(),
        overhead_bytes: u16,
    ) {
        let link = LinkLimit { action, up, down, total, overhead_bytes };
        let encoded = encode_link(&link).unwrap();
        prop_assert_eq!(decode_link(&encoded, overhead_bytes.into()).unwrap(), link);
    }

    #[test]
    fn an_address_is_read_back_as_it_was_written(address: IpAddr) {
        let expected = address.to_canonical();
        prop_assert_eq!(decode_address(encode_address(address)), expected);
    }
}

/// A limit of 1 Mbit/s with a burst, in the rates that `of` says.
fn one_mbit(burst_bytes: u64, of: impl Fn(Rates) -> [Rates; 3]) -> Limit {
    let rate = BitRate::from_bits_per_second(1_000_000);
    let bytes = Some(ByteRate { rate, burst: Size::from_bytes(burst_bytes), refill: None });
    let [up, down, total] = of(Rates { bytes, packets: None });
    Limit {
        prefix: "10.0.0.0/24".parse().unwrap(),
        matches: Match::Host,
        scope: Scope::Each,
        action: Action::Drop,
        group: None,
        up,
        down,
        total,
        one_time_burst: None,
        packet_unit: None,
    }
}

#[test]
fn a_total_is_computed_for_both_directions() {
    let none = Rates::default();
    let encoded = encode(&one_mbit(65_536, |rates| [none, none, rates]), 0).unwrap();
    assert_eq!(encoded.rates[0], encoded.rates[1]);
    assert!(encoded.has(abi::Limit::TOTAL_BYTES) && !encoded.has(abi::Limit::TOTAL_PACKETS));
    assert!(encoded.rates[0].bytes.is_limited() && !encoded.rates[0].packets.is_limited());
}

#[test]
fn marks_lie_at_half_of_the_burst_or_at_the_delay_that_was_stated() {
    let both = |rates| [rates, rates, Rates::default()];
    let marks = |action| {
        let limit = Limit { action, ..one_mbit(125_000, both) };
        encode(&limit, 0).unwrap().rates[1].bytes.ce_ticks
    };
    let second = throttle_common::rate::TICKS_PER_SECOND;
    assert_eq!(marks(Action::Drop), u64::MAX);
    assert_eq!(marks(Action::Ecn), second / 2);
    let delay = Some(Span::from_nanoseconds(20_000_000));
    assert_eq!(marks(Action::Pace { ecn_above: delay }), second / 50);
}

#[test]
fn a_one_time_burst_lasts_as_long_as_its_bytes_at_the_rate() {
    let grants = |of: fn(Rates) -> [Rates; 3]| {
        let one_time_burst = Some(Size::from_bytes(250_000));
        encode(&Limit { one_time_burst, ..one_mbit(65_536, of) }, 0).unwrap().one_time_ticks
    };
    let two_seconds = 2 * throttle_common::rate::TICKS_PER_SECOND;
    assert_eq!(grants(|rates| [rates, rates, Rates::default()]), [two_seconds; 2]);
    assert_eq!(grants(|rates| [Rates::default(), Rates::default(), rates]), [two_seconds, 0]);
}

#[test]
fn a_burst_of_more_than_two_years_is_refused() {
    let limit = one_mbit(1 << 50, |rates| [rates, Rates::default(), Rates::default()]);
    assert!(encode(&limit, 0).unwrap_err().to_string().contains("two years"));
}
