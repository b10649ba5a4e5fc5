//! The interfaces of the current network namespace.

use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::dump::{attributes, dump, number, text};
use crate::error::{Kind, Result, ResultExt};

const RTM_GETLINK: u16 = 18;
/// Length of `struct ifinfomsg`.
const IFINFOMSG_BYTES: usize = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_QDISC: u16 = 6;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;

const IFF_UP: u32 = 1;
/// Has a carrier, as far as it can tell.
const IFF_LOWER_UP: u32 = 1 << 16;

/// Interfaces that pass on, one for one, what goes through the interface below them.
const STACKED: [&str; 6] = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "dsa"];
/// Interfaces that pass on what goes through their ports.
const WITH_PORTS: [&str; 3] = ["bridge", "bond", "team"];

/// An interface, as the kernel describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its `ARPHRD_*`.
    pub(crate) hardware_type: u16,
    /// What sort of interface it is, such as `vlan`; empty for hardware.
    pub(crate) kind: String,
    /// Whether it was set up.
    pub(crate) is_up: bool,
    /// Whether it has a carrier, as far as it can tell.
    pub(crate) has_carrier: bool,
    /// Kind of its egress qdisc.
    pub(crate) qdisc: String,
    /// Whether an XDP program sees its packets first.
    pub(crate) has_xdp: bool,
    /// Index of the interface that it is made on, if that is in the same namespace.
    pub(crate) link: Option<u32>,
    /// Index of the interface that it is a port of.
    pub(crate) master: Option<u32>,
}

/// Lists all interfaces.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn interfaces() -> Result<Vec<Interface>> {
    let all = [0; IFINFOMSG_BYTES];
    let found = dump(NETLINK_ROUTE, RTM_GETLINK, &all);
    let found = found.doing(Kind::Failed, || "listing interfaces")?;
    Ok(found.iter().filter_map(|body| Interface::read(body)).collect())
}

impl Interface {
    fn read(body: &[u8]) -> Option<Self> {
        let flags = number(body.get(8..)?)?;
        let mut read = Self {
            hardware_type: u16::from_ne_bytes([body[2], body[3]]),
            index: number(&body[4..])?,
            is_up: flags & IFF_UP != 0,
            has_carrier: flags & IFF_LOWER_UP != 0,
            ..Self::default()
        };
        let mut is_link_elsewhere = false;
        for (kind, value) in attributes(body, IFINFOMSG_BYTES) {
            match kind {
                IFLA_IFNAME => read.name = text(value),
                IFLA_QDISC => read.qdisc = text(value),
                IFLA_LINK => read.link = number(value),
                IFLA_LINK_NETNSID => is_link_elsewhere = true,
                IFLA_MASTER => read.master = number(value),
                IFLA_LINKINFO => {
                    read.kind = nested(value, IFLA_INFO_KIND).map(text).unwrap_or_default();
                }
                IFLA_XDP => {
                    read.has_xdp = nested(value, IFLA_XDP_ATTACHED)
                        .is_some_and(|value| value.first() != Some(&0));
                }
                _ => {}
            }
        }
        if is_link_elsewhere {
            read.link = None;
        }
        Some(read)
    }

    /// Whether packets that go through this interface go through `below` as well, with the same
    /// addresses: it is made on it, or has it as a port.
    pub(crate) fn is_over(&self, below: &Self) -> bool {
        // The peer of a veth pair is called its link, and the underlay of a tunnel too.
        STACKED.contains(&&*self.kind) && self.link == Some(below.index)
            || WITH_PORTS.contains(&&*self.kind) && below.master == Some(self.index)
    }
}

fn nested(value: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(value, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::{super::dump::tests::attribute, *};

    /// An interface with these attributes, which is up and has a carrier.
    fn interface(index: u32, given: &[Vec<u8>]) -> Interface {
        let mut header = [0; IFINFOMSG_BYTES];
        header[2..4].copy_from_slice(&1_u16.to_ne_bytes());
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        header[8..12].copy_from_slice(&(IFF_UP | IFF_LOWER_UP).to_ne_bytes());
        Interface::read(&[&header[..], &given.concat()].concat()).unwrap()
    }

    fn index(kind: u16, index: u32) -> Vec<u8> {
        attribute(kind, &index.to_ne_bytes())
    }

    fn kind(name: &[u8]) -> Vec<u8> {
        attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, name))
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        let xdp = attribute(IFLA_XDP | 0x8000, &attribute(IFLA_XDP_ATTACHED, &[2]));
        let given = [attribute(IFLA_IFNAME, b"eth1\0"), attribute(IFLA_QDISC, b"mq\0"), xdp];
        let read = interface(7, &given);
        assert_eq!(
            (read.index, &*read.name, &*read.qdisc, read.hardware_type),
            (7, "eth1", "mq", 1)
        );
        assert!(read.is_up && read.has_carrier && read.has_xdp);
        assert!(!interface(7, &[attribute(IFLA_XDP, &attribute(IFLA_XDP_ATTACHED, &[0]))]).has_xdp);
        assert_eq!(Interface::read(&[0; 11]), None);
    }

    #[test]
    fn an_interface_is_over_what_it_is_made_on_and_over_its_ports() {
        let port = interface(2, &[index(IFLA_MASTER, 3)]);
        let bridge = interface(3, &[kind(b"bridge\0")]);
        let vlan = interface(4, &[kind(b"vlan\0"), index(IFLA_LINK, 2)]);
        assert!(bridge.is_over(&port) && vlan.is_over(&port));
        assert!(!port.is_over(&bridge) && !bridge.is_over(&vlan));
        let elsewhere = [kind(b"macvlan\0"), index(IFLA_LINK, 2), index(IFLA_LINK_NETNSID, 0)];
        assert!(!interface(5, &elsewhere).is_over(&port), "the other is in another namespace");
        let veth = interface(6, &[kind(b"veth\0"), index(IFLA_LINK, 2)]);
        assert!(!veth.is_over(&port), "a peer is not below");
        let vrf = interface(3, &[kind(b"vrf\0")]);
        assert!(!vrf.is_over(&port));
    }

    #[test]
    fn the_loopback_interface_is_listed() {
        let found = interfaces().unwrap();
        let loopback = found.iter().find(|interface| interface.name == "lo").unwrap();
        assert_eq!(loopback.hardware_type, libc::ARPHRD_LOOPBACK);
    }
}
