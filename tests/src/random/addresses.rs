//! Addresses that meet the prefixes of random policies, and some that nobody limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Random;

/// Addresses that are handled in a way of their own: to many, of one link, reserved, IPv4 in IPv6.
const SPECIAL: [IpAddr; 12] = [
    IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)),
    IpAddr::V4(Ipv4Addr::BROADCAST),
    IpAddr::V4(Ipv4Addr::new(169, 254, 3, 1)),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9)),
    IpAddr::V6(Ipv6Addr::new(0xfebf, 0, 0, 0, 0, 0, 0, 9)),
    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0a00, 1)),
    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xe000, 1)),
];

/// A host of 10.0.0.0/21 that few others are.
pub fn host_v4(random: &mut Random) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, random.below(8) as u8, random.below(12) as u8)
}

/// A host of fd00::/45 that few others are, at every length of host prefixes.
pub fn host_v6(random: &mut Random) -> Ipv6Addr {
    let (site, net, host) = (random.below(4), random.below(4), random.below(3));
    Ipv6Addr::new(0xfd00, 0, site as u16, net as u16, 0, 0, 0, host as u16)
}

/// The other end of a packet.
pub fn peer_v4(random: &mut Random) -> Ipv4Addr {
    let net = random.pick(&[[192, 0, 2], [198, 51, 100], [8, 0, 0]]);
    Ipv4Addr::new(net[0], net[1], net[2], random.below(4) as u8)
}

/// The other end of a packet.
pub fn peer_v6(random: &mut Random) -> Ipv6Addr {
    let net = random.pick(&[0x2001, 0x2a00, 0x3fff]);
    Ipv6Addr::new(net, 0xdb8, 0, random.below(2) as u16, 0, 0, 0, random.below(3) as u16)
}

/// Source and destination of one family: mostly a host and a peer, sometimes two hosts or a special one.
pub fn pair(random: &mut Random) -> (IpAddr, IpAddr) {
    let is_v4 = random.once_in(2);
    let host = |random: &mut Random| -> IpAddr {
        if is_v4 { host_v4(random).into() } else { host_v6(random).into() }
    };
    let (one, other) = (host(random), host(random));
    let other = match random.below(10) {
        0 => other,
        1 => {
            let special: Vec<_> =
                SPECIAL.into_iter().filter(|address| address.is_ipv4() == is_v4).collect();
            random.pick(&special)
        }
        _ if is_v4 => peer_v4(random).into(),
        _ => peer_v6(random).into(),
    };
    if random.once_in(2) { (one, other) } else { (other, one) }
}
