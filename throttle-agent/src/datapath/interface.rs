//! Interfaces of the current network namespace.

use std::{io, mem::zeroed, net::UdpSocket, os::fd::AsRawFd};

use nix::net::if_::{if_indextoname, if_nametoindex};
use throttle_common::packet::LinkHeader;

use crate::error::{Error, Kind, Result, ResultExt};

/// GRE over IPv6; of linux/if_arp.h.
const ARPHRD_IP6GRE: u16 = 823;
/// Packets of mobile networks; of linux/if_arp.h.
const ARPHRD_RAWIP: u16 = 519;

/// Whether packets of a hardware type, `ARPHRD_*`, can be read.
pub(crate) fn is_readable(hardware_type: u16) -> bool {
    header_of(hardware_type).is_some()
}

fn header_of(hardware_type: u16) -> Option<LinkHeader> {
    match hardware_type {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Some(LinkHeader::Ethernet),
        libc::ARPHRD_NONE
        | libc::ARPHRD_PPP
        | libc::ARPHRD_TUNNEL
        | libc::ARPHRD_TUNNEL6
        | libc::ARPHRD_SIT
        | libc::ARPHRD_IPGRE
        | ARPHRD_IP6GRE
        | ARPHRD_RAWIP => Some(LinkHeader::None),
        _ => None,
    }
}

/// An interface that exists.
#[derive(Debug, Clone)]
pub(super) struct Interface {
    /// Its name.
    pub(super) name: String,
    /// Its index.
    pub(super) index: u32,
}

impl Interface {
    /// The interface of this name.
    pub(super) fn named(name: &str) -> Result<Self> {
        let index = if_nametoindex(name)
            .doing(Kind::Failed, || format!("attaching to {name}: no such interface"))?;
        Ok(Self { name: name.to_owned(), index })
    }

    /// The interface with this index; `None` when it is gone.
    pub(super) fn with_index(index: u32) -> Option<Self> {
        let name = if_indextoname(index).ok()?.into_string().ok()?;
        // For nix, what is not found has a name as well: none.
        (!name.is_empty()).then_some(Self { name, index })
    }

    /// What packets of the interface begin with.
    ///
    /// # Errors
    /// Its hardware type is none whose headers are known.
    pub(super) fn link_header(&self) -> Result<LinkHeader> {
        let name = &self.name;
        let kind = self
            .hardware_type()
            .doing(Kind::Failed, || format!("reading the hardware type of interface {name}"))?;
        header_of(kind).ok_or_else(|| {
            Error::failed(format!(
                "attaching to {name}: packets of hardware type {kind} cannot be read"
            ))
            .hint("Ethernet, loopback, tun, wireguard, ppp, ipip, sit and gre interfaces can be")
        })
    }

    /// `ARPHRD_*` of the interface.
    fn hardware_type(&self) -> io::Result<u16> {
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        // SAFETY: the structure is made of integers.
        let mut request: libc::ifreq = unsafe { zeroed() };
        let name = self.name.bytes().take(libc::IFNAMSIZ - 1);
        for (to, from) in request.ifr_name.iter_mut().zip(name) {
            *to = from as libc::c_char;
        }
        // Its type differs between C libraries.
        let call = libc::SIOCGIFHWADDR as libc::Ioctl;
        // SAFETY: the request is a valid `ifreq` with a terminated name.
        if unsafe { libc::ioctl(socket.as_raw_fd(), call, &raw mut request) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has filled this member of the union.
        Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
    }
}

#[cfg(test)]
mod tests {
    use super::Interface;

    #[test]
    fn an_index_without_an_interface_is_that_of_none() {
        let loopback = Interface::named("lo").unwrap();
        assert_eq!(Interface::with_index(loopback.index).unwrap().name, "lo");
        assert!(Interface::with_index(i32::MAX as u32).is_none());
    }
}
