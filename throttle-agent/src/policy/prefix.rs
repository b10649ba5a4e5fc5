//! Prefixes as they are typed: an address, or an address and a length.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::error::{Error, Result};

/// Length of the IPv6 prefix that counts as one host.
pub const IPV6_HOST_PREFIX_BITS: u8 = 64;

/// Length of the prefix that all IPv4-mapped IPv6 addresses share.
const MAPPED_PREFIX_BITS: u8 = 96;

/// Reads a prefix; a bare address stands for its host, which is a /32 or an IPv6 /64.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage), naming the accepted form, when the text is no prefix,
/// has host bits set, is an IPv6 prefix longer than a host, or is an IPv4-mapped one.
pub fn parse_prefix(text: &str) -> Result<IpNet> {
    let prefix = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(prefix), _) => prefix,
        (Err(_), Ok(IpAddr::V4(address))) => IpNet::from(IpAddr::V4(address)),
        (Err(_), Ok(IpAddr::V6(address))) => return host_prefix(text, address),
        (Err(_), Err(_)) => {
            return Err(Error::usage(format_args!(
                "prefix {text:?} is neither an address nor a prefix: \
                 write 10.0.0.7, 10.0.0.0/24 or 2001:db8::/56"
            )));
        }
    };
    check_length(text, prefix)?;
    if prefix != prefix.trunc() {
        return Err(host_bits_set(text, prefix));
    }
    Ok(prefix)
}

/// Reads the address of one host; an IPv6 host may be given as its /64 as well.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage), naming the accepted form, when the text is no host.
pub fn parse_host(text: &str) -> Result<IpAddr> {
    let prefix = parse_prefix(text)?;
    match prefix {
        IpNet::V4(host) if host.prefix_len() == host.max_prefix_len() => Ok(host.addr().into()),
        IpNet::V6(host) if host.prefix_len() == IPV6_HOST_PREFIX_BITS => Ok(host.addr().into()),
        IpNet::V4(_) | IpNet::V6(_) => Err(Error::usage(format_args!(
            "{text} is a prefix of many hosts: write one address, such as {}",
            prefix.addr()
        ))),
    }
}

/// The /64 around a bare IPv6 address.
fn host_prefix(text: &str, address: Ipv6Addr) -> Result<IpNet> {
    match address.to_ipv4_mapped() {
        Some(mapped) => Err(is_mapped(text, mapped)),
        None => Ok(IpNet::V6(host_of(address))),
    }
}

fn check_length(text: &str, prefix: IpNet) -> Result<()> {
    let IpNet::V6(prefix) = prefix else { return Ok(()) };
    if let Some(mapped) = prefix.addr().to_ipv4_mapped()
        && let Some(bits) = prefix.prefix_len().checked_sub(MAPPED_PREFIX_BITS)
    {
        return Err(is_mapped(text, format_args!("{mapped}/{bits}")));
    }
    if prefix.prefix_len() > IPV6_HOST_PREFIX_BITS {
        return Err(Error::usage(format_args!(
            "prefix {text} is longer than an IPv6 host, which is a /{IPV6_HOST_PREFIX_BITS}: write {}",
            host_of(prefix.addr())
        )));
    }
    Ok(())
}

fn host_bits_set(text: &str, prefix: IpNet) -> Error {
    let network = prefix.trunc();
    match prefix {
        IpNet::V4(host) => Error::usage(format_args!(
            "prefix {text} has host bits set: write {network} or {}/32",
            host.addr()
        )),
        IpNet::V6(host) if host.prefix_len() == IPV6_HOST_PREFIX_BITS => {
            Error::usage(format_args!("prefix {text} has host bits set: write {network}"))
        }
        IpNet::V6(host) => Error::usage(format_args!(
            "prefix {text} has host bits set: write {network} or {}",
            host_of(host.addr())
        )),
    }
}

fn is_mapped(text: &str, ipv4: impl std::fmt::Display) -> Error {
    Error::usage(format_args!("prefix {text} is an IPv4-mapped IPv6 prefix: write {ipv4}"))
}

fn host_of(address: Ipv6Addr) -> Ipv6Net {
    Ipv6Net::new_assert(address, IPV6_HOST_PREFIX_BITS).trunc()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;

    fn refusal(text: &str) -> String {
        let error = parse_prefix(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn a_bare_address_stands_for_its_host() {
        assert_eq!(parse_prefix("10.0.0.5").unwrap().to_string(), "10.0.0.5/32");
        assert_eq!(parse_prefix("2001:db8::5").unwrap().to_string(), "2001:db8::/64");
    }

    #[test]
    fn a_host_is_one_address() {
        let host = |text: &str| parse_host(text).unwrap().to_string();
        assert_eq!(host("10.0.0.7"), "10.0.0.7");
        assert_eq!(host("10.0.0.7/32"), "10.0.0.7");
        assert_eq!(host("2001:db8::7"), "2001:db8::");
        assert_eq!(host("2001:db8::/64"), "2001:db8::");
        let error = parse_host("10.0.0.0/24").unwrap_err();
        assert!(error.to_string().contains("write one address, such as 10.0.0.0"));
    }

    #[test]
    fn networks_are_taken_as_typed() {
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/24", "2001:db8::/64", "2001:db8::/32"] {
            assert_eq!(parse_prefix(text).unwrap().to_string(), text);
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
            "prefix 2001:db8:0:1::5/56 has host bits set: write 2001:db8::/56 or 2001:db8:0:1::/64"
        );
    }

    #[test]
    fn an_ipv6_prefix_longer_than_a_host_is_refused() {
        assert_eq!(
            refusal("2001:db8::5/128"),
            "prefix 2001:db8::5/128 is longer than an IPv6 host, which is a /64: write 2001:db8::/64"
        );
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
        fn an_accepted_prefix_has_no_host_bits(address: IpAddr, bits in 0u8..=128) {
            if let Ok(prefix) = parse_prefix(&format!("{address}/{bits}")) {
                prop_assert_eq!(prefix, prefix.trunc());
                prop_assert_eq!(parse_prefix(&prefix.to_string()).ok(), Some(prefix));
            }
        }
    }
}
