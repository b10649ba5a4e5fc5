//! What lies between a router and the hosts of its LAN.

use anyhow::Result;

use crate::netns::Namespace;
use crate::router::lan_prefix;
use crate::traffic::Family;
use crate::wireguard::{self, Peer};

/// The kind of a LAN's link. The first interface is `lan0` in the router and `eth0` at the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanLink<'a> {
    /// A veth pair has the addresses.
    Ethernet,
    /// VLAN devices on the veth pair have them; the outermost tag comes first. Names are as of
    /// `lan0.9.5`, tag 5 inside tag 9.
    Vlan(&'a [Tag]),
    /// A WireGuard tunnel through the veth pair has them: `wg0` in the router and at the hosts.
    Wireguard,
}

/// A VLAN tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// 802.1Q.
    Customer(u16),
    /// 802.1ad, the outer one of two.
    Service(u16),
}

/// The two interfaces that have the addresses.
#[derive(Debug)]
pub struct Interfaces {
    /// In the router.
    pub near: String,
    /// At the hosts.
    pub far: String,
    /// Whether their packets carry link-layer addresses.
    pub has_neighbours: bool,
}

impl LanLink<'_> {
    /// Builds the interfaces above the veth pair `lan<lan>` and `eth0`, and brings the lower ones up.
    pub fn build(self, router: &Namespace, clients: &Namespace, lan: u8) -> Result<Interfaces> {
        let (near, far) = (format!("lan{lan}"), "eth0".to_owned());
        match self {
            Self::Ethernet => Ok(Interfaces { near, far, has_neighbours: true }),
            Self::Vlan(tags) => {
                let near = stack(router, near, tags)?;
                let far = stack(clients, far, tags)?;
                Ok(Interfaces { near, far, has_neighbours: true })
            }
            Self::Wireguard => {
                tunnel(router, clients, lan)?;
                let (near, far) = (format!("wg{lan}"), "wg0".to_owned());
                Ok(Interfaces { near, far, has_neighbours: false })
            }
        }
    }
}

/// Puts one VLAN device on another, the first on `interface`; returns the last.
fn stack(namespace: &Namespace, interface: String, tags: &[Tag]) -> Result<String> {
    tags.iter().try_fold(interface, |below, tag| {
        let (protocol, number) = match tag {
            Tag::Customer(number) => ("802.1Q", number),
            Tag::Service(number) => ("802.1ad", number),
        };
        let name = format!("{below}.{number}");
        namespace.ip(&format!(
            "link set {below} up
             link add link {below} name {name} type vlan protocol {protocol} id {number}\n"
        ))?;
        Ok(name)
    })
}

/// Lays a tunnel with packets of up to 1500 bytes through the veth pair.
fn tunnel(router: &Namespace, clients: &Namespace, lan: u8) -> Result<()> {
    let (near, far) = (format!("10.76.{lan}.1"), format!("10.76.{lan}.2"));
    for (namespace, interface, address) in
        [(router, format!("lan{lan}"), &near), (clients, "eth0".to_owned(), &far)]
    {
        namespace.ip(&format!(
            "addr add {address}/24 dev {interface}\nlink set {interface} mtu 1600 up\n"
        ))?;
    }
    let hosts = Family::ALL.map(|family| lan_prefix(lan, family)).join(",");
    let near = Peer {
        namespace: router,
        interface: &format!("wg{lan}"),
        endpoint: &format!("{near}:{}", 51820 + u16::from(lan)),
        addresses: "0.0.0.0/0,::/0",
    };
    let far = Peer {
        namespace: clients,
        interface: "wg0",
        endpoint: &format!("{far}:51820"),
        addresses: &hosts,
    };
    wireguard::connect(near, far)
}
