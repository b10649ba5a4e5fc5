//! The links: interfaces that the programs are attached to.

use std::fs;

use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};
use nix::net::if_::{if_indextoname, if_nametoindex};
use throttle_common::abi::{Hook, Link, MAX_LINKS, Side};

use super::{
    HookChoice,
    hooks::{self, Interface},
    object::classifier,
    pins::Pins,
    pod::Raw,
    state::{HookKind, LinkStatus},
};
use crate::error::{Error, Kind, Result, ResultExt};

const HOOKS: [Hook; 2] = [Hook::Ingress, Hook::Egress];

/// Map `LINKS`.
pub(super) struct LinkTable {
    map: HashMap<MapData, u32, Raw<Link>>,
    pins: Pins,
}

impl LinkTable {
    /// Wraps the map.
    pub(super) fn new(map: HashMap<MapData, u32, Raw<Link>>, pins: Pins) -> Self {
        Self { map, pins }
    }

    /// Every link, by interface index.
    pub(super) fn entries(&self) -> Result<Vec<(u32, Link)>> {
        let mut links = Vec::new();
        for entry in self.map.iter() {
            let (index, Raw(link)) = entry.doing(Kind::Failed, || "reading map LINKS")?;
            links.push((index, link));
        }
        links.sort_unstable_by_key(|(_, link)| link.index);
        Ok(links)
    }

    /// Puts new programs in the place of an earlier agent's, and drops links whose interface is gone.
    pub(super) fn adopt(&mut self, ebpf: &mut Ebpf) -> Result<()> {
        for (index, link) in self.entries()? {
            let Some(name) = interface_name(index) else {
                tracing::warn!(ifindex = index, "interface is gone: its link is dropped");
                self.drop_link(index, link)?;
                continue;
            };
            let interface = Interface { name: &name, index };
            for hook in HOOKS {
                hooks::adopt(link.flags, classifier(ebpf, hook)?, interface, hook, &self.pins)?;
            }
            tracing::info!(interface = name, "link adopted");
        }
        self.remove_orphans()
    }

    /// Prepares and attaches a link; returns its status.
    ///
    /// A link that exists gets the new side.
    pub(super) fn attach(
        &mut self,
        ebpf: &mut Ebpf,
        name: &str,
        side: Side,
        choice: HookChoice,
        clear_counters: impl FnOnce(u32) -> Result<()>,
    ) -> Result<LinkStatus> {
        let index = if_nametoindex(name)
            .doing(Kind::Failed, || format!("attaching to {name}: no such interface"))?;
        check_has_ethernet_header(name)?;
        if let Some((_, link)) = self.entries()?.into_iter().find(|(found, _)| *found == index) {
            let link = Link { side: side as u32, ..link };
            self.write(index, link)?;
            return Ok(status(index, &link));
        }
        let interface = Interface { name, index };
        let number = self.free_number()?;
        clear_counters(number)?;
        let ingress = classifier(ebpf, Hook::Ingress)?;
        let flags = hooks::prepare(choice, ingress, interface, &self.pins)?;
        let link = Link { index: number, side: side as u32, flags };
        let attached = self.write(index, link).and_then(|()| {
            HOOKS.into_iter().try_for_each(|hook| {
                hooks::attach(flags, classifier(ebpf, hook)?, interface, hook, &self.pins)
            })
        });
        if let Err(error) = attached {
            if let Err(second) = self.drop_link(index, link) {
                tracing::warn!(interface = name, %second, "undoing a failed attach");
            }
            return Err(error);
        }
        Ok(status(index, &link))
    }

    /// Detaches from an interface, given by name, or by index once it is gone; `false` when it is no
    /// link.
    pub(super) fn detach(&mut self, interface: &str) -> Result<bool> {
        let found = self.entries()?.into_iter().find(|(index, _)| match interface_name(*index) {
            Some(name) => name == interface,
            None => index.to_string() == interface,
        });
        let Some((index, link)) = found else {
            return Ok(false);
        };
        self.drop_link(index, link)?;
        Ok(true)
    }

    /// Detaches both programs, then forgets the link, then removes the qdisc if it is ours.
    pub(super) fn drop_link(&mut self, index: u32, link: Link) -> Result<()> {
        let name = interface_name(index);
        for hook in HOOKS {
            hooks::detach(link.flags, index, name.as_deref(), hook, &self.pins)?;
        }
        if link.flags & Link::MADE_QDISC != 0 && name.is_some() {
            hooks::remove_qdisc_if_unused(index)?;
        }
        self.map.remove(&index).doing(Kind::Failed, || format!("forgetting link {index}"))
    }

    fn write(&mut self, index: u32, link: Link) -> Result<()> {
        self.map
            .insert(index, Raw(link), 0)
            .doing(Kind::Failed, || format!("writing link {index} to map LINKS"))
    }

    /// The lowest number that no link has.
    fn free_number(&self) -> Result<u32> {
        let used: Vec<u32> = self.entries()?.iter().map(|(_, link)| link.index).collect();
        (0..MAX_LINKS).find(|number| !used.contains(number)).ok_or_else(|| {
            Error::failed(format!("attaching another link: an instance has at most {MAX_LINKS}"))
        })
    }

    /// Detaches pinned links that no entry knows: an agent ended between the two.
    pub(super) fn remove_orphans(&self) -> Result<()> {
        let known: Vec<u32> = self.entries()?.iter().map(|(index, _)| *index).collect();
        let directory = self.pins.directory();
        let pins = fs::read_dir(directory)
            .doing(Kind::Failed, || format!("reading {}", directory.display()))?;
        for pin in pins.flatten() {
            let name = pin.file_name();
            let index = name
                .to_str()
                .and_then(|name| name.strip_prefix("link-")?.split('-').next()?.parse().ok());
            if let Some(index) = index.filter(|index| !known.contains(index)) {
                for hook in HOOKS {
                    hooks::detach(0, index, None, hook, &self.pins)?;
                }
            }
        }
        Ok(())
    }
}

/// What a link is, for reports.
pub(super) fn status(index: u32, link: &Link) -> LinkStatus {
    LinkStatus {
        interface: interface_name(index),
        ifindex: index,
        side: if link.side == Side::Near as u32 { Side::Near } else { Side::Far },
        hook: if link.flags & Link::CLSACT == 0 { HookKind::Tcx } else { HookKind::Clsact },
    }
}

fn interface_name(index: u32) -> Option<String> {
    if_indextoname(index).ok()?.into_string().ok()
}

/// Refuses an interface whose packets do not begin with an Ethernet header.
fn check_has_ethernet_header(name: &str) -> Result<()> {
    let kind = hardware_type(name)
        .doing(Kind::Failed, || format!("reading the hardware type of interface {name}"))?;
    if matches!(kind, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) {
        return Ok(());
    }
    Err(Error::failed(format!(
        "attaching to {name}: its hardware type is {kind}, and only interfaces with Ethernet headers \
         (types {} and {}) can be limited",
        libc::ARPHRD_ETHER,
        libc::ARPHRD_LOOPBACK
    )))
}

/// `ARPHRD_*` of an interface in the current network namespace.
fn hardware_type(name: &str) -> std::io::Result<u16> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))
        .or_else(|_| std::net::UdpSocket::bind(("0.0.0.0", 0)))?;
    // SAFETY: the structure is made of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
    // SAFETY: the request is a valid `ifreq` with a terminated name.
    if unsafe { libc::ioctl(fd, libc::SIOCGIFHWADDR, &raw mut request) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call has filled this member of the union.
    Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}
