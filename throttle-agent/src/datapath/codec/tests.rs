use proptest::prelude::*;
use throttle_common::units::{BitRate, PacketsPerSecond, Size};

use super::*;

fn byte_rate() -> impl Strategy<Value = ByteRate> {
    (8_000_u64..=400_000_000_000, 1_u64..1 << 30).prop_map(|(rate, burst)| ByteRate {
        rate: BitRate::from_bits_per_second(rate),
        burst: Size::from_bytes(burst),
    })
}

fn packet_rate() -> impl Strategy<Value = PacketRate> {
    (1_u64..1_000_000_000, 1_u64..1_000_000).prop_map(|(rate, burst_packets)| PacketRate {
        rate: PacketsPerSecond::from_packets_per_second(rate),
        burst_packets,
    })
}

fn rates() -> impl Strategy<Value = Rates> {
    (prop::option::of(byte_rate()), prop::option::of(packet_rate()))
        .prop_map(|(bytes, packets)| Rates { bytes, packets })
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(octets, bits)| (octets.into(), bits));
    let v6 = (any::<[u8; 16]>(), 0_u8..=64).prop_map(|(octets, bits)| (octets.into(), bits));
    prop_oneof![v4, v6].prop_filter_map("a prefix", |(address, bits): (IpAddr, u8)| {
        IpNet::new(address, bits).ok().map(|net| net.trunc())
    })
}

prop_compose! {
    /// A limit in which no direction shares a kind with the total.
    fn limit()(
        prefix in prefix(),
        shared: bool,
        (up, down, total) in (rates(), rates(), rates()),
        (total_bytes, total_packets) in any::<(bool, bool)>(),
    ) -> Limit {
        let directed = |rates: Rates| Rates {
            bytes: rates.bytes.filter(|_| !total_bytes),
            packets: rates.packets.filter(|_| !total_packets),
        };
        let total = Rates {
            bytes: total.bytes.filter(|_| total_bytes),
            packets: total.packets.filter(|_| total_packets),
        };
        let scope = if shared { Scope::Shared } else { Scope::Each };
        let (up, down) = (directed(up), directed(down));
        Limit { prefix, scope, action: Action::Drop, up, down, total }
    }
}

proptest! {
    #[test]
    fn a_limit_is_read_back_as_it_was_written(limit in limit(), index: u32) {
        let encoded = encode(&limit, index).unwrap();
        prop_assert_eq!(encoded.index, index);
        prop_assert_eq!(decode(&encoded).unwrap(), limit);
    }

    #[test]
    fn an_address_is_read_back_as_it_was_written(address: IpAddr) {
        let expected = address.to_canonical();
        prop_assert_eq!(decode_address(encode_address(address)), expected);
    }
}

#[test]
fn a_total_is_computed_for_both_directions() {
    let rate = BitRate::from_bits_per_second(1_000_000);
    let bytes = Some(ByteRate { rate, burst: Size::from_bytes(65_536) });
    let total = Rates { bytes, packets: None };
    let encoded = encode(
        &Limit {
            prefix: "10.0.0.0/24".parse().unwrap(),
            scope: Scope::Each,
            action: Action::Drop,
            up: Rates::default(),
            down: Rates::default(),
            total,
        },
        0,
    )
    .unwrap();
    assert_eq!(encoded.rates[0], encoded.rates[1]);
    assert!(encoded.has(abi::Limit::TOTAL_BYTES) && !encoded.has(abi::Limit::TOTAL_PACKETS));
    assert!(encoded.rates[0].bytes.is_limited() && !encoded.rates[0].packets.is_limited());
}

#[test]
fn a_burst_of_more_than_two_years_is_refused() {
    let rate = BitRate::from_bits_per_second(8_000);
    let bytes = Some(ByteRate { rate, burst: Size::from_bytes(1 << 40) });
    let limit = Limit {
        prefix: "10.0.0.0/24".parse().unwrap(),
        scope: Scope::Each,
        action: Action::Drop,
        up: Rates { bytes, packets: None },
        down: Rates::default(),
        total: Rates::default(),
    };
    assert!(encode(&limit, 0).unwrap_err().to_string().contains("two years"));
}
