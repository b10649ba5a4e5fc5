//! The TCP address that metrics and the web page are served on.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// An address and a port; a port by itself means the loopback address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsAddress(SocketAddr);

impl MetricsAddress {
    /// Listens, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// The address is taken, is none of this namespace, or the caller may not use the port.
    pub fn listen(self) -> Result<TcpListener> {
        let doing = || format!("listening for metrics on {self}");
        let listener = TcpListener::bind(self.0).map_err(|error| {
            let hint = if error.kind() == io::ErrorKind::AddrNotAvailable {
                "give an address that `ip addr` shows in the agent's network namespace"
            } else {
                "give another address or port with --metrics, or leave it out"
            };
            Error::of_io(error, doing()).hint(hint)
        })?;
        listener.set_nonblocking(true).map_err(|error| Error::of_io(error, doing()))?;
        if !self.is_loopback() {
            tracing::warn!(
                "metrics and the web page on http://{self}/ are open to everyone who can reach it: \
                 there is no authentication"
            );
        }
        Ok(listener)
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl From<MetricsAddress> for SocketAddr {
    fn from(address: MetricsAddress) -> Self {
        address.0
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MetricsAddress {
    type Err = String;

    /// Reads `127.0.0.1:9190`, `[::1]:9190` or `9190`.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            format!(
                "metrics address {text:?} {why}: write 127.0.0.1:9190, [::1]:9190, \
                 or a port such as 9190 for the loopback address"
            )
        };
        let address = if let Ok(port) = text.parse() {
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
        } else if let Ok(address) = text.parse() {
            address
        } else if text.parse::<IpAddr>().is_ok() {
            return Err(refused("has no port"));
        } else {
            return Err(refused("is no IP address with a port"));
        };
        if address.port() == 0 {
            return Err(refused("has port 0"));
        }
        Ok(Self(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse().map(|address: MetricsAddress| address.to_string())
    }

    #[test]
    fn a_port_alone_means_loopback() {
        assert_eq!(read("9190").unwrap(), "127.0.0.1:9190");
        assert_eq!(read("127.0.0.2:80").unwrap(), "127.0.0.2:80");
        assert_eq!(read("[::]:9190").unwrap(), "[::]:9190");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_accepted_forms() {
        for (text, why) in [
            ("", "is no IP address"),
            (":9190", "is no IP address"),
            ("localhost:9190", "is no IP address"),
            ("10.0.0.1", "has no port"),
            ("::1", "has no port"),
            ("0", "has port 0"),
            ("65536", "is no IP address"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why) && error.contains("write 127.0.0.1:9190"), "{error}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_private() {
        let private = |text: &str| text.parse::<MetricsAddress>().unwrap().is_loopback();
        assert!(private("9190") && private("[::1]:1") && private("[::ffff:127.0.0.1]:1"));
        assert!(!private("[::]:9190") && !private("0.0.0.0:9190") && !private("10.0.0.1:9190"));
    }

    #[test]
    fn a_taken_address_is_named_with_a_hint() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = MetricsAddress(taken.local_addr().unwrap());
        let error = address.listen().unwrap_err();
        assert!(error.to_string().starts_with(&format!("listening for metrics on {address}")));
        assert!(error.hint_text().unwrap().contains("another address or port"));
    }
}
