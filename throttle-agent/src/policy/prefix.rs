//! Prefixes as they are typed: an address, or an address and a length.
//!
//! How long the IPv6 prefix of one host is, only the agent knows. What is typed is therefore checked
//! in two steps: its form by whoever reads it, its length by the agent.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
    str::FromStr,
};

use ipnet::{IpNet, Ipv6Net};

use super::text::as_text;
use crate::error::{Error, Result};

/// Length of the IPv6 prefix that counts as one host unless told otherwise.
pub const DEFAULT_IPV6_HOST_PREFIX: u8 = 64;

/// Lengths that the IPv6 prefix of one host may have.
pub const IPV6_HOST_PREFIXES: RangeInclusive<u8> = 48..=128;

/// Length of the prefix that all IPv4-mapped IPv6 addresses share.
const MAPPED_PREFIX_BITS: u8 = 96;

/// A prefix as it is typed, its host bits clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedPrefix {
    /// An IPv4 address, or an address and a length.
    Net(IpNet),
    /// A bare IPv6 address, which stands for its host.
    Ipv6(Ipv6Addr),
}

as_text!(
    TypedPrefix,
    "An address, or an address and a length whose host bits are clear. An IPv6 address stands for its \
     host: the prefix of as many bits as the agent counts as one.",
    "^(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\
     (/(3[0-2]|[12]?[0-9]))?|[0-9a-fA-F:.]{2,45}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$",
    ["10.0.0.0/24", "10.0.0.7", "2001:db8::/56"]
);

impl TypedPrefix {
    /// The prefix that it means where an IPv6 host is `ipv6_host_prefix` bits long.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when it is an IPv6 prefix longer than a host.
    pub fn resolve(self, ipv6_host_prefix: u8) -> Result<IpNet> {
        match self {
            Self::Ipv6(address) => Ok(host_of(address, ipv6_host_prefix).into()),
            Self::Net(IpNet::V6(net)) if net.prefix_len() > ipv6_host_prefix => {
                Err(Error::usage(format_args!(
                    "prefix {net} is longer than an IPv6 host, which is a /{ipv6_host_prefix} here: \
                     write {}",
                    host_of(net.addr(), ipv6_host_prefix)
                )))
            }
            Self::Net(net) => Ok(net),
        }
    }

    /// The first address of the one host that it means.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when it holds many hosts, or is longer than one.
    pub fn host(self, ipv6_host_prefix: u8) -> Result<IpAddr> {
        let prefix = self.resolve(ipv6_host_prefix)?;
        if is_host(&prefix, ipv6_host_prefix) {
            return Ok(prefix.addr());
        }
        Err(Error::usage(format_args!(
            "{self} is a prefix of many hosts: write one address, such as {}",
            prefix.addr()
        )))
    }

    /// Checks that it is one host for some length of IPv6 hosts.
    ///
    /// # Errors
    /// As with [`host`](Self::host).
    pub fn check_host(self) -> Result<()> {
        let (shortest, longest) = (*IPV6_HOST_PREFIXES.start(), *IPV6_HOST_PREFIXES.end());
        let bits = match self {
            Self::Net(IpNet::V6(net)) => net.prefix_len().clamp(shortest, longest),
            Self::Net(IpNet::V4(_)) | Self::Ipv6(_) => longest,
        };
        self.host(bits).map(drop)
    }
}

impl FromStr for TypedPrefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let prefix = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
            (Ok(prefix), _) => prefix,
            (Err(_), Ok(IpAddr::V4(address))) => IpNet::from(IpAddr::V4(address)),
            (Err(_), Ok(IpAddr::V6(address))) => {
                return match address.to_ipv4_mapped() {
                    Some(mapped) => Err(is_mapped(text, mapped)),
                    None => Ok(Self::Ipv6(address)),
                };
            }
            (Err(_), Err(_)) => {
                return Err(Error::usage(format_args!(
                    "prefix {text:?} is neither an address nor a prefix: \
                     write 10.0.0.7, 10.0.0.0/24 or 2001:db8::/56"
                )));
            }
        };
        check_mapped(text, prefix)?;
        if prefix != prefix.trunc() {
            return Err(host_bits_set(text, prefix));
        }
        Ok(Self::Net(prefix))
    }
}

impl fmt::Display for TypedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Ipv6(address) => address.fmt(f),
        }
    }
}

impl From<IpNet> for TypedPrefix {
    fn from(net: IpNet) -> Self {
        Self::Net(net)
    }
}

/// Whether a prefix is all of one host.
#[must_use]
pub fn is_host(prefix: &IpNet, ipv6_host_prefix: u8) -> bool {
    match prefix {
        IpNet::V4(net) => net.prefix_len() == net.max_prefix_len(),
        IpNet::V6(net) => net.prefix_len() == ipv6_host_prefix,
    }
}

/// A host as it is shown: an address, or an IPv6 prefix.
#[must_use]
pub fn host_name(address: IpAddr, ipv6_host_prefix: u8) -> String {
    match address {
        IpAddr::V6(address) if ipv6_host_prefix < 128 => format!("{address}/{ipv6_host_prefix}"),
        IpAddr::V4(_) | IpAddr::V6(_) => address.to_string(),
    }
}

fn check_mapped(text: &str, prefix: IpNet) -> Result<()> {
    let IpNet::V6(prefix) = prefix else { return Ok(()) };
    let mapped = prefix.addr().to_ipv4_mapped();
    match mapped.zip(prefix.prefix_len().checked_sub(MAPPED_PREFIX_BITS)) {
        Some((mapped, bits)) => Err(is_mapped(text, format_args!("{mapped}/{bits}"))),
        None => Ok(()),
    }
}

fn host_bits_set(text: &str, prefix: IpNet) -> Error {
    let network = prefix.trunc();
    let host = match prefix {
        IpNet::V4(net) => format!("{}/32", net.addr()),
        IpNet::V6(net) => net.addr().to_string(),
    };
    Error::usage(format_args!("prefix {text} has host bits set: write {network} or {host}"))
}

fn is_mapped(text: &str, ipv4: impl fmt::Display) -> Error {
    Error::usage(format_args!("prefix {text} is an IPv4-mapped IPv6 prefix: write {ipv4}"))
}

/// The host around an address; a length beyond the address's own is the address itself.
fn host_of(address: Ipv6Addr, bits: u8) -> Ipv6Net {
    Ipv6Net::new(address, bits).unwrap_or_else(|_| address.into()).trunc()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;

    fn resolve(text: &str, bits: u8) -> Result<String> {
        Ok(text.parse::<TypedPrefix>()?.resolve(bits)?.to_string())
    }

    fn refusal(text: &str) -> String {
        let error = resolve(text, 64).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn a_bare_address_stands_for_its_host() {
        assert_eq!(resolve("10.0.0.5", 64).unwrap(), "10.0.0.5/32");
        for (bits, host) in
            [(48, "2001:db8:1::/48"), (64, "2001:db8:1:2::/64"), (128, "2001:db8:1:2::5/128")]
        {
            assert_eq!(resolve("2001:db8:1:2::5", bits).unwrap(), host);
        }
    }

    #[test]
    fn a_host_is_one_address() {
        let host = |text: &str, bits| {
            text.parse::<TypedPrefix>().unwrap().host(bits).map(|host| host.to_string())
        };
        assert_eq!(host("10.0.0.7", 64).unwrap(), "10.0.0.7");
        assert_eq!(host("10.0.0.7/32", 64).unwrap(), "10.0.0.7");
        assert_eq!(host("2001:db8::7", 64).unwrap(), "2001:db8::");
        assert_eq!(host("2001:db8::/64", 64).unwrap(), "2001:db8::");
        assert_eq!(host("2001:db8::7", 128).unwrap(), "2001:db8::7");
        for (text, bits) in [("10.0.0.0/24", 64), ("2001:db8::/64", 128), ("2001:db8::/48", 56)] {
            let message = host(text, bits).unwrap_err().to_string();
            assert!(message.contains("write one address, such as "), "{message}");
        }
        assert!(host("2001:db8::7/128", 64).unwrap_err().to_string().contains("which is a /64"));
    }

    #[test]
    fn without_the_agent_only_what_is_never_a_host_is_refused() {
        let check = |text: &str| text.parse::<TypedPrefix>().unwrap().check_host();
        for text in ["10.0.0.7", "2001:db8::7", "2001:db8::/48", "2001:db8::/56", "2001:db8::/128"]
        {
            assert!(check(text).is_ok(), "{text}");
        }
        for text in ["10.0.0.0/31", "2001:db8::/47", "::/0"] {
            assert_eq!(check(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
    }

    #[test]
    fn hosts_are_named_by_their_address_or_prefix() {
        let name = |text: &str, bits| host_name(text.parse().unwrap(), bits);
        assert_eq!(name("10.0.0.7", 64), "10.0.0.7");
        assert_eq!(name("2001:db8::", 64), "2001:db8::/64");
        assert_eq!(name("2001:db8::7", 128), "2001:db8::7");
    }

    #[test]
    fn networks_are_taken_as_typed() {
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/24", "2001:db8::/64", "2001:db8::/32"] {
            assert_eq!(resolve(text, 64).unwrap(), text);
        }
    }

    #[test]
    fn host_bits_are_refused_with_both_readings() {
        assert_eq!(
            refusal("10.0.0.5/24"),
            "prefix 10.0.0.5/24 has host bits set: write 10.0.0.0/24 or 10.0.0.5/32"
        );
        assert_eq!(
            refusal("2001:db8:0:1::5/56"),
            "prefix 2001:db8:0:1::5/56 has host bits set: write 2001:db8::/56 or 2001:db8:0:1::5"
        );
    }

    #[test]
    fn an_ipv6_prefix_longer_than_a_host_is_refused_with_the_length_in_force() {
        assert_eq!(
            refusal("2001:db8::5/128"),
            "prefix 2001:db8::5/128 is longer than an IPv6 host, which is a /64 here: \
             write 2001:db8::/64"
        );
        assert_eq!(resolve("2001:db8::5/128", 128).unwrap(), "2001:db8::5/128");
        assert!(resolve("2001:db8::/64", 56).unwrap_err().to_string().contains("a /56 here"));
    }

    #[test]
    fn mapped_prefixes_are_refused_with_their_ipv4_form() {
        assert!(refusal("::ffff:10.0.0.5").ends_with("write 10.0.0.5"));
        assert!(refusal("::ffff:10.0.0.0/120").ends_with("write 10.0.0.0/24"));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in ["", "10.0.0", "10.0.0.0/33", "eth0", "10.0.0.0/-1", "2001:db8::/129"] {
            assert!(refusal(text).contains("write 10.0.0.7, 10.0.0.0/24"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_prefix_has_no_host_bits(
            address: IpAddr,
            bits in 0_u8..=128,
            host_bits in IPV6_HOST_PREFIXES,
        ) {
            for text in [format!("{address}/{bits}"), address.to_string()] {
                let Ok(typed) = text.parse::<TypedPrefix>() else { continue };
                prop_assert_eq!(typed.to_string().parse::<TypedPrefix>().ok(), Some(typed));
                let Ok(prefix) = typed.resolve(host_bits) else { continue };
                prop_assert_eq!(prefix, prefix.trunc());
                prop_assert_eq!(resolve(&prefix.to_string(), host_bits).ok(), Some(prefix.to_string()));
            }
        }
    }
}
