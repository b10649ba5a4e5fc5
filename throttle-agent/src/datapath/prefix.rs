//! Prefixes that are one host.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::error::{Kind, Result, ResultExt};

/// The host that is all of a prefix.
pub(super) fn single_host(prefix: &IpNet, ipv6_bits: u8) -> Option<IpAddr> {
    match prefix {
        IpNet::V4(net) if net.prefix_len() == 32 => Some(net.network().into()),
        IpNet::V6(net) if net.prefix_len() == ipv6_bits => Some(net.network().into()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

/// The prefix that is all of a host.
pub(super) fn host_prefix(host: IpAddr, ipv6_bits: u8) -> Result<IpNet> {
    let bits = match host {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => ipv6_bits,
    };
    IpNet::new(host, bits).map(|net| net.trunc()).doing(Kind::Failed, || format!("host {host}"))
}
