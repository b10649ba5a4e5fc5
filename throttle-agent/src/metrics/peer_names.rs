//! Which names a private address is asked by.
//!
//! A page of a stranger, open in a browser on this machine, may give a name of its own the loopback
//! address and then read whatever answers there. Such a request carries the stranger's name.

use std::net::{IpAddr, SocketAddr};

/// Whether the `Host` header of a request names an address, or `localhost`, rather than a stranger.
pub(super) fn is_of_this_machine(host: &str) -> bool {
    let is_address = host.parse::<SocketAddr>().is_ok()
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let name = host.split_once(':').map_or(host, |(name, _port)| name);
    is_address || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::is_of_this_machine;

    #[test]
    fn addresses_and_localhost_are_answered() {
        for host in ["127.0.0.1:9190", "127.0.0.1", "[::1]:9190", "[::1]", "localhost:9190"] {
            assert!(is_of_this_machine(host), "{host}");
        }
    }

    #[test]
    fn names_of_strangers_are_not() {
        for host in ["", "evil.example", "evil.example:9190", "localhost.evil.example", "[evil]:1"]
        {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
