//! A router between a server and one or more LANs full of hosts, each part in its own namespace.
//!
//! ```text
//! server eth0 ---- wan0 router lan0 ---- eth0 clients of LAN 0: hosts 0, 1, 2, 3
//!                              lan1 ---- eth0 clients of LAN 1
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use anyhow::Result;

use crate::lan_link::{Cable, Interfaces, LanLink};
use crate::netns::Namespace;
use crate::sink;
use crate::traffic::Family;
use crate::wireguard;

/// How many hosts every LAN holds.
pub const HOSTS: u8 = 4;

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A host behind the router.
    Host {
        /// Which LAN, from 0.
        lan: u8,
        /// Which host of the LAN, from 0.
        number: u8,
    },
    /// The server beyond the router.
    Server,
    /// The router itself, by its address on LAN 0.
    Router,
}

impl End {
    /// Host `number` on LAN 0.
    pub const fn host(number: u8) -> Self {
        Self::Host { lan: 0, number }
    }

    /// The address of this end. Every host has an IPv6 /64 of its own.
    pub fn address(self, family: Family) -> IpAddr {
        match (family, self) {
            (Family::V4, Self::Host { lan, number }) => {
                Ipv4Addr::new(10, 77, lan, 10 + number).into()
            }
            (Family::V4, Self::Server) => Ipv4Addr::new(10, 78, 0, 2).into(),
            (Family::V4, Self::Router) => Ipv4Addr::new(10, 77, 0, 1).into(),
            (Family::V6, Self::Host { lan, number }) => {
                lan_address_v6(lan, 0x10 + u16::from(number))
            }
            (Family::V6, Self::Server) => Ipv6Addr::new(0xfd00, 0x78, 0, 0, 0, 0, 0, 2).into(),
            (Family::V6, Self::Router) => lan_address_v6(0, 1),
        }
    }

    /// What the agent calls one host: an IPv4 /32 or an IPv6 /64.
    pub fn prefix(self, family: Family) -> String {
        match self.address(family) {
            IpAddr::V4(address) => format!("{address}/32"),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

/// The prefix that covers every host of a LAN.
pub fn lan_prefix(lan: u8, family: Family) -> String {
    match family {
        Family::V4 => format!("10.77.{lan}.0/24"),
        Family::V6 => format!("fd00:77:{lan:x}::/48"),
    }
}

/// The Ethernet addresses of a LAN's veth pair, in the router and at the hosts.
pub fn lan_macs(lan: u8) -> [[u8; 6]; 2] {
    [1, 2].map(|end| [2, 0x77, 0, 0, lan, end])
}

/// The namespaces of a router, its server and its LANs, joined by veth pairs.
#[derive(Debug)]
pub struct Router {
    router: Namespace,
    server: Namespace,
    lans: Vec<Namespace>,
    _cables: Vec<Cable>,
    _sinks: Vec<UdpSocket>,
}

impl Router {
    /// A router with one LAN.
    pub fn new() -> Result<Self> {
        Self::with_lans(1)
    }

    /// A router with `count` LANs, on its interfaces `lan0`, `lan1` and so on.
    pub fn with_lans(count: u8) -> Result<Self> {
        Self::with_lans_over(LanLink::Ethernet, count)
    }

    /// A router with one LAN over a link of this kind.
    pub fn over(link: LanLink<'_>) -> Result<Self> {
        Self::with_lans_over(link, 1)
    }

    fn with_lans_over(link: LanLink<'_>, count: u8) -> Result<Self> {
        let router = Namespace::new("router")?;
        prepare(&router)?;
        router.sysctl("ipv4/ip_forward", "1")?;
        router.sysctl("ipv6/conf/all/forwarding", "1")?;
        let server = server(&router)?;
        let (mut lans, mut cables) = (Vec::new(), Vec::new());
        for lan in 0..count {
            let (clients, cable) = clients(&router, lan, link)?;
            lans.push(clients);
            cables.extend(cable);
        }
        let ends = lans.iter().chain([&server, &router]);
        let sinks = ends.map(sink::discard).collect::<Result<Vec<_>>>()?;
        Ok(Self { router, server, lans, _cables: cables, _sinks: sinks })
    }

    /// Takes the veth pair of a LAN away, as when a tunnel ends.
    pub fn cut(&self, lan: u8) -> Result<()> {
        self.router.ip(&format!("link del lan{lan}"))
    }

    /// Lays a LAN's veth pair again, with all that was on it.
    pub fn lay(&self, lan: u8) -> Result<()> {
        lay(&self.router, &self.lans[usize::from(lan)], lan, LanLink::Ethernet).map(drop)
    }

    /// Moves the router's interface of a LAN to another namespace and back, and sets it up again: what was on it
    /// does not move along.
    pub fn lend(&self, lan: u8) -> Result<()> {
        let (interface, borrower) = (format!("lan{lan}"), &self.lans[usize::from(lan)]);
        self.router.ip(&format!("link set {interface} netns {}", borrower.name()))?;
        borrower.ip(&format!("link set {interface} netns {}", self.router.name()))?;
        let [_, far_mac] = lan_macs(lan).map(written);
        self.router.ip(&near_end(lan, &interface, Some(&far_mac)))
    }

    /// Makes LAN 0 hold `count` hosts where it holds fewer.
    pub fn add_hosts(&self, count: u8) -> Result<()> {
        let [_, far_mac] = lan_macs(0).map(written);
        let (mut inside, mut outside) = (String::new(), String::new());
        for host in (HOSTS..count).map(End::host) {
            inside += &host_addresses(host, "eth0");
            for address in Family::ALL.map(|family| host.address(family)) {
                outside += &neighbour(address, &far_mac, "lan0");
            }
        }
        self.router.ip(&outside)?;
        self.lans[0].ip(&inside)
    }

    /// The namespace in which this end lives.
    pub fn namespace(&self, end: End) -> &Namespace {
        match end {
            End::Host { lan, .. } => &self.lans[usize::from(lan)],
            End::Server => &self.server,
            End::Router => &self.router,
        }
    }
}

/// Turns off what would make the first packets late, and the packets that kernels send by themselves
/// later on, which the far end would count.
fn prepare(namespace: &Namespace) -> Result<()> {
    for scope in ["all", "default"] {
        namespace.sysctl(&format!("ipv6/conf/{scope}/accept_dad"), "0")?;
        namespace.sysctl(&format!("ipv6/conf/{scope}/router_solicitations"), "0")?;
        let report_interval_ms = format!("ipv6/conf/{scope}/mldv2_unsolicited_report_interval");
        namespace.sysctl(&report_interval_ms, "1")?;
    }
    Ok(())
}

fn server(router: &Namespace) -> Result<Namespace> {
    let server = Namespace::new("server")?;
    prepare(&server)?;
    let (near, far) = ("02:78:00:00:00:01", "02:78:00:00:00:02");
    join(router, "wan0", near, &server, far)?;
    router.ip(&format!(
        "addr add 10.78.0.1/24 dev wan0
         addr add fd00:78::1/64 dev wan0 nodad
         link set wan0 up
         neigh replace 10.78.0.2 lladdr {far} dev wan0 nud permanent
         neigh replace fd00:78::2 lladdr {far} dev wan0 nud permanent
        "
    ))?;
    server.ip(&format!(
        "addr add 10.78.0.2/24 dev eth0
         addr add fd00:78::2/64 dev eth0 nodad
         link set eth0 up
         neigh replace 10.78.0.1 lladdr {near} dev eth0 nud permanent
         neigh replace fd00:78::1 lladdr {near} dev eth0 nud permanent
         route add default via 10.78.0.1
         route add default via fd00:78::1
        "
    ))?;
    Ok(server)
}

fn clients(router: &Namespace, lan: u8, link: LanLink<'_>) -> Result<(Namespace, Option<Cable>)> {
    let clients = Namespace::new(&format!("lan{lan}"))?;
    prepare(&clients)?;
    let cable = lay(router, &clients, lan, link)?;
    Ok((clients, cable))
}

/// What the router's end of a LAN has: addresses, routes, and hosts that it knows by this address.
fn near_end(lan: u8, interface: &str, mac: Option<&str>) -> String {
    let mut script = format!(
        "addr add 10.77.{lan}.1/24 dev {interface}
         addr add {}/64 dev {interface} nodad
         link set {interface} up
         route add {} dev {interface}\n",
        lan_address_v6(lan, 1),
        lan_prefix(lan, Family::V6)
    );
    for host in (0..HOSTS).map(|number| End::Host { lan, number }) {
        for address in Family::ALL.map(|family| host.address(family)) {
            script += &mac.map(|mac| neighbour(address, mac, interface)).unwrap_or_default();
        }
    }
    script
}

/// Lays the link of a LAN, with its addresses and routes.
fn lay(
    router: &Namespace,
    clients: &Namespace,
    lan: u8,
    link: LanLink<'_>,
) -> Result<Option<Cable>> {
    let [near_mac, far_mac] = lan_macs(lan).map(written);
    let gateway = lan_address_v6(lan, 1);
    join(router, &format!("lan{lan}"), &near_mac, clients, &far_mac)?;
    let Interfaces { near, far, has_neighbours, cable } = link.build(router, clients, lan)?;
    let mut inside = String::new();
    for host in (0..HOSTS).map(|number| End::Host { lan, number }) {
        inside += &host_addresses(host, &far);
    }
    inside += &format!("link set {far} up\n");
    if has_neighbours {
        for address in [Ipv4Addr::new(10, 77, lan, 1).into(), gateway] {
            inside += &neighbour(address, &near_mac, &far);
        }
    }
    inside += &format!(
        "route add default via 10.77.{lan}.1
         route add {gateway} dev {far}
         route add default via {gateway} dev {far}
        "
    );
    router.ip(&near_end(lan, &near, has_neighbours.then_some(far_mac.as_str())))?;
    clients.ip(&inside)?;
    if link == LanLink::Wireguard {
        wireguard::greet(clients, &far)?;
    }
    Ok(cable)
}

/// The line of `ip` that says where an address is found.
fn neighbour(address: IpAddr, mac: &str, interface: &str) -> String {
    format!("neigh replace {address} lladdr {mac} dev {interface} nud permanent\n")
}

/// The lines of `ip` that give an interface the addresses of a host.
fn host_addresses(host: End, interface: &str) -> String {
    let (v4, v6) = (host.address(Family::V4), host.address(Family::V6));
    format!("addr add {v4}/24 dev {interface}\naddr add {v6}/128 dev {interface} nodad\n")
}

/// An Ethernet address as `ip` reads it.
fn written(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Lays a veth pair from `link` in the router to `eth0` at the far end.
fn join(router: &Namespace, link: &str, near: &str, end: &Namespace, far: &str) -> Result<()> {
    router.ip(&format!(
        "link add {link} address {near} type veth peer name eth0 address {far} netns {}\n",
        end.name()
    ))
}

fn lan_address_v6(lan: u8, subnet: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0x77, u16::from(lan), subnet, 0, 0, 0, 1).into()
}
