use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn v4(text: &str) -> Address {
    Address::from_ipv4(text.parse::<Ipv4Addr>().unwrap().octets())
}

fn v6(text: &str) -> Address {
    Address::from_octets(text.parse::<Ipv6Addr>().unwrap().octets())
}

#[test]
fn ipv4_is_kept_in_the_mapped_form() {
    assert_eq!(v4("10.1.2.3"), v6("::ffff:10.1.2.3"));
    assert!(v4("10.1.2.3").is_ipv4());
    assert!(!v6("fd00::1").is_ipv4());
    assert!(!v6("::1").is_ipv4());
}

#[test]
fn a_host_is_an_ipv4_address_or_an_ipv6_prefix() {
    let mask = Mask::from_prefix_len(64);
    assert_eq!(v4("10.1.2.3").host(&mask), v4("10.1.2.3"));
    assert_eq!(v6("fd00:1:2:3:4:5:6:7").host(&mask), v6("fd00:1:2:3::"));
    assert_eq!(v6("fd00::7").host(&Mask::from_prefix_len(128)), v6("fd00::7"));
    assert_eq!(v6("fd00:1:2:3ff::7").host(&Mask::from_prefix_len(56)), v6("fd00:1:2:300::"));
}

#[test]
fn multicast_broadcast_and_link_local_are_told_from_the_rest() {
    for many in ["224.0.0.1", "239.255.255.250", "255.255.255.255"] {
        assert!(v4(many).is_multicast(), "{many}");
    }
    for one in ["223.255.255.255", "10.0.0.1", "240.0.0.1", "255.255.255.254", "0.0.0.0"] {
        assert!(!v4(one).is_multicast(), "{one}");
    }
    assert!(v6("ff02::1").is_multicast() && v6("ff00::").is_multicast());
    assert!(!v6("fe80::1").is_multicast() && !v6("2001:db8::1").is_multicast());
    assert!(v4("169.254.1.1").is_link_local() && !v4("169.253.1.1").is_link_local());
    assert!(v6("fe80::1").is_link_local() && v6("febf::1").is_link_local());
    assert!(!v6("fec0::1").is_link_local() && !v6("fd80::1").is_link_local());
}

#[test]
fn every_prefix_length_cuts_what_lies_behind_it() {
    let patterns =
        [u128::MAX, 0x5555 << 112 | 0x5555, 1 << 127 | 1, 0xfd00_0001_0002_03ff << 64 | 7];
    for bits in 0..=128 {
        let mask = Mask::from_prefix_len(bits);
        assert_eq!(mask.prefix_len(), bits);
        for pattern in patterns {
            let kept = if bits == 0 { 0 } else { pattern >> (128 - bits) << (128 - bits) };
            let address = Address::from_octets(pattern.to_be_bytes());
            assert_eq!(address.host(&mask), Address::from_octets(kept.to_be_bytes()), "/{bits}");
        }
        let ipv4 = v4("10.1.2.255");
        assert_eq!(ipv4.host(&mask), ipv4, "/{bits}");
    }
}

/// All first halves of IPv4 addresses and all first groups of IPv6 ones.
#[test]
fn every_first_sixteen_bits_are_classed_as_by_the_standard_library() {
    for first in 0..=u16::MAX {
        for second in [0, 1, 0x7fff, 0x8000, u16::MAX] {
            let ip = Ipv4Addr::from(u32::from(first) << 16 | u32::from(second));
            let address = Address::from_ipv4(ip.octets());
            assert_eq!(address.is_multicast(), ip.is_multicast() || ip.is_broadcast(), "{ip}");
            assert_eq!(address.is_link_local(), ip.is_link_local(), "{ip}");
            // No first group is one that IPv4 addresses have, but for zero.
            let ip = Ipv6Addr::from([first, second, 0, 0, 0, 0, second, 1]);
            let address = Address::from_octets(ip.octets());
            assert!(!address.is_ipv4(), "{ip}");
            assert_eq!(address.is_multicast(), ip.is_multicast(), "{ip}");
            assert_eq!(address.is_link_local(), ip.is_unicast_link_local(), "{ip}");
        }
    }
}

proptest! {
    #[test]
    fn octets_round_trip(octets: [u8; 16]) {
        prop_assert_eq!(Address::from_octets(octets).octets(), octets);
    }

    #[test]
    fn classes_agree_with_the_standard_library(octets: [u8; 16], v4: [u8; 4]) {
        let (address, std) = (Address::from_octets(octets), Ipv6Addr::from(octets));
        if std.to_ipv4_mapped().is_none() {
            prop_assert_eq!(address.is_multicast(), std.is_multicast());
            prop_assert_eq!(address.is_link_local(), std.is_unicast_link_local());
        }
        let (address, std) = (Address::from_ipv4(v4), Ipv4Addr::from(v4));
        prop_assert_eq!(address.is_multicast(), std.is_multicast() || std.is_broadcast());
        prop_assert_eq!(address.is_link_local(), std.is_link_local());
    }
}
