//! Addresses and prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use throttle_common::address::{Address, IPV4_BITS};

use crate::error::{Error, Result};

/// The prefix in the IPv4-mapped form.
pub(in crate::datapath) fn encode_prefix(prefix: &IpNet) -> (Address, u32) {
    match prefix {
        IpNet::V4(net) => {
            (Address::from_ipv4(net.network().octets()), IPV4_BITS + u32::from(net.prefix_len()))
        }
        IpNet::V6(net) => (Address::from_octets(net.network().octets()), net.prefix_len().into()),
    }
}

/// The prefix from its IPv4-mapped form.
pub(super) fn decode_prefix(address: Address, bits: u32) -> Result<IpNet> {
    let length = |bits: u32| u8::try_from(bits).ok();
    let net = match decode_address(address) {
        IpAddr::V4(v4) if bits >= IPV4_BITS => {
            length(bits - IPV4_BITS).and_then(|bits| Ipv4Net::new(v4, bits).ok()).map(IpNet::V4)
        }
        IpAddr::V4(_) => length(bits)
            .and_then(|bits| Ipv6Net::new(Ipv6Addr::from(address.octets()), bits).ok())
            .map(IpNet::V6),
        IpAddr::V6(v6) => length(bits).and_then(|bits| Ipv6Net::new(v6, bits).ok()).map(IpNet::V6),
    };
    net.ok_or_else(|| {
        Error::failed(format!("reading a pinned limit: prefix length {bits} is above 128"))
    })
}

/// A host's key.
pub(in crate::datapath) fn encode_address(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(v4) => Address::from_ipv4(v4.octets()),
        IpAddr::V6(v6) => Address::from_octets(v6.octets()),
    }
}

/// The address behind a host's key.
pub(in crate::datapath) fn decode_address(address: Address) -> IpAddr {
    let octets = address.octets();
    if address.is_ipv4() {
        return Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]).into();
    }
    Ipv6Addr::from(octets).into()
}
