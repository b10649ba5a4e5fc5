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
