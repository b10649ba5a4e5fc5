//! What lies between a router and the hosts of its LAN.

use anyhow::Result;

use crate::netns::Namespace;
use crate::ppp;
use crate::router::{lan_macs, lan_prefix};
use crate::traffic::Family;
use crate::tun;
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
    /// An IP tunnel of the kernel through the veth pair has them, made by `ip link add` with the words of its
    /// kind, such as `ipip`: `tun0` in the router and at the hosts.
    Tunnel(&'a str),
    /// Two tun devices have them, between which this process carries packets: `tun0` in the router and at the
    /// hosts.
    Tun,
    /// Two PPP devices have them, joined by a serial line: `ppp0` in the router and at the hosts.
    Ppp,
    /// Two PPP devices have them, joined by a PPPoE session through the veth pair: `ppp0` in the router and at
    /// the hosts.
    Pppoe,
}

/// A VLAN tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// 802.1Q.
    Customer(u16),
    /// 802.1ad, the outer one of two.
    Service(u16),
}

/// What joins two interfaces while it is held.
#[derive(Debug)]
pub enum Cable {
    /// Two tun devices, and what carries packets between them.
    Tun(tun::Cable),
    /// Two PPP devices.
    Ppp([ppp::Device; 2]),
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
    /// What joins them, unless the kernel does.
    pub cable: Option<Cable>,
}

impl Interfaces {
    fn of_frames(near: String, far: String) -> Self {
        Self { near, far, has_neighbours: true, cable: None }
    }

    fn of_packets(near: String, far: &str, cable: Option<Cable>) -> Self {
        Self { near, far: far.to_owned(), has_neighbours: false, cable }
    }
}

impl LanLink<'_> {
    /// Builds the interfaces above the veth pair `lan<lan>` and `eth0`, and brings the lower ones up.
    pub fn build(self, router: &Namespace, clients: &Namespace, lan: u8) -> Result<Interfaces> {
        let (near, far) = (format!("lan{lan}"), "eth0".to_owned());
        match self {
            Self::Ethernet => Ok(Interfaces::of_frames(near, far)),
            Self::Vlan(tags) => {
                let near = stack(router, near, tags)?;
                let far = stack(clients, far, tags)?;
                Ok(Interfaces::of_frames(near, far))
            }
            Self::Wireguard => {
                wireguard_tunnel(router, clients, lan)?;
                Ok(Interfaces::of_packets(format!("wg{lan}"), "wg0", None))
            }
            Self::Tunnel(kind) => {
                let near = format!("tun{lan}");
                kernel_tunnel(kind, (router, &near), (clients, "tun0"), lan)?;
                Ok(Interfaces::of_packets(near, "tun0", None))
            }
            Self::Tun => {
                let near = format!("tun{lan}");
                let cable = Cable::Tun(tun::Cable::lay((router, &near), (clients, "tun0"))?);
                Ok(Interfaces::of_packets(near, "tun0", Some(cable)))
            }
            Self::Ppp => {
                let devices = ppp::serial((router, lan), (clients, 0))?;
                Ok(Interfaces::of_packets(format!("ppp{lan}"), "ppp0", Some(Cable::Ppp(devices))))
            }
            Self::Pppoe => {
                underlay(router, clients, lan)?;
                let ([near_mac, far_mac], below) = (lan_macs(lan), format!("lan{lan}"));
                let devices = [
                    ppp::over_ethernet(router, lan, &below, far_mac)?,
                    ppp::over_ethernet(clients, 0, "eth0", near_mac)?,
                ];
                Ok(Interfaces::of_packets(format!("ppp{lan}"), "ppp0", Some(Cable::Ppp(devices))))
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

/// Gives the veth pair addresses, and room for packets of 1500 bytes inside a tunnel.
fn underlay(router: &Namespace, clients: &Namespace, lan: u8) -> Result<(String, String)> {
    let (near, far) = (format!("10.76.{lan}.1"), format!("10.76.{lan}.2"));
    for (namespace, interface, address) in
        [(router, format!("lan{lan}"), &near), (clients, "eth0".to_owned(), &far)]
    {
        namespace.ip(&format!(
            "addr add {address}/24 dev {interface}\nlink set {interface} mtu 1600 up\n"
        ))?;
    }
    Ok((near, far))
}

/// Makes the two ends of a tunnel of a kind that the kernel has.
fn kernel_tunnel(
    kind: &str,
    router: (&Namespace, &str),
    clients: (&Namespace, &str),
    lan: u8,
) -> Result<()> {
    let (near, far) = underlay(router.0, clients.0, lan)?;
    for ((namespace, interface), local, remote) in [(router, &near, &far), (clients, &far, &near)] {
        namespace.ip(&format!(
            "link add {interface} mtu 1500 type {kind} local {local} remote {remote}\n"
        ))?;
    }
    Ok(())
}

/// Lays a tunnel with packets of up to 1500 bytes through the veth pair.
fn wireguard_tunnel(router: &Namespace, clients: &Namespace, lan: u8) -> Result<()> {
    let (near, far) = underlay(router, clients, lan)?;
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
