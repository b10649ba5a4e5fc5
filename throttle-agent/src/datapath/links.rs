//! The links: interfaces that the programs are attached to.

mod hand_over;
mod repair;

use std::collections::BTreeMap;

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use throttle_common::{
    abi::{Hook, LINK_PROBES, LINK_SLOTS, Link, MAX_LINKS, Side, link_slot},
    packet::LinkHeader,
};

use super::{
    HookChoice,
    hooks::{self, HOOKS},
    interface::Interface,
    object::classifier,
    pins::Pins,
    pod::Raw,
    qdisc::Qdiscs,
    state::{FqRoom, HookKind, LinkReport, LinkStatus},
};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

/// Map `LINKS`.
pub(super) struct LinkTable {
    map: Array<MapData, Raw<Link>>,
    /// What the map holds, in the order of the links' numbers.
    links: Vec<Link>,
    /// What fq holds on each interface whose every queue had it at the last look.
    fq: BTreeMap<u32, FqRoom>,
    pins: Pins,
    /// While an agent starts, the hooks at which the program of an earlier one enforces until the new policy is in
    /// force; `None` from then on.
    waiting: Option<Vec<(u32, Hook)>>,
    /// What was last told of links that cannot be attached again.
    told: BTreeMap<u32, String>,
}

impl LinkTable {
    /// Reads the map.
    pub(super) fn new(map: Array<MapData, Raw<Link>>, pins: Pins) -> Result<Self> {
        let mut links = Vec::new();
        for found in map.iter().take(LINK_SLOTS as usize) {
            let Raw(link) = found.doing(Kind::Failed, || "reading map LINKS")?;
            links.push(link);
        }
        links.retain(|link| link.ifindex != 0);
        links.sort_unstable_by_key(|link| link.index);
        let (fq, told) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { map, links, fq, pins, waiting: None, told })
    }

    /// Every link.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Prepares and attaches a link. One that exists gets the new side.
    pub(super) fn attach(
        &mut self,
        ebpf: &mut Ebpf,
        name: &str,
        side: Side,
        choice: HookChoice,
        clear_counters: impl FnOnce(u32) -> Result<()>,
    ) -> Result<Link> {
        let interface = Interface::named(name)?;
        let header = match interface.link_header()? {
            LinkHeader::Ethernet => 0,
            LinkHeader::None => Link::NO_LINK_HEADER,
        };
        if let Some(&known) = self.links.iter().find(|link| link.ifindex == interface.index) {
            let link = Link { side: side as u32, ..known };
            self.write(&link)?;
            return Ok(link);
        }
        let index = self.free_number()?;
        clear_counters(index)?;
        let flags = header | hooks::prepare(choice, &interface)?;
        let side = side as u32;
        let link = Link { ifindex: interface.index, index, side, flags, ..Link::default() };
        let mut attached = Vec::new();
        let outcome = self.write(&link).and_then(|()| {
            HOOKS.into_iter().try_for_each(|hook| {
                if self.attach_hook(ebpf, &link, &interface, hook)? {
                    attached.push(hook);
                }
                Ok(())
            })
        });
        if let Err(error) = outcome {
            if let Err(second) = self.drop_hooks(&link, &attached) {
                tracing::warn!(interface = name, %second, "undoing a failed attach");
            }
            return Err(error);
        }
        Ok(link)
    }

    /// Attaches the program to a hook, in the place of what the instance has there; `false` when that enforces on
    /// until [`take_over`](Self::take_over).
    fn attach_hook(
        &mut self,
        ebpf: &mut Ebpf,
        link: &Link,
        interface: &Interface,
        hook: Hook,
    ) -> Result<bool> {
        if let Some(waiting) = &mut self.waiting
            && hooks::is_in_place(link, hook, &self.pins)?
        {
            waiting.push((link.ifindex, hook));
            return Ok(false);
        }
        hooks::attach(link, classifier(ebpf, hook)?, interface, hook, &self.pins).map(|()| true)
    }

    /// The link of an interface, given by name, or by index once it is gone.
    pub(super) fn named(&self, interface: &str) -> Option<Link> {
        let is_meant = |link: &&Link| match Interface::with_index(link.ifindex) {
            Some(found) => found.name == interface,
            None => link.ifindex.to_string() == interface,
        };
        self.links.iter().find(is_meant).copied()
    }

    /// The link of the interface with this index.
    pub(super) fn with_index(&self, ifindex: u32) -> Option<Link> {
        self.links.iter().find(|link| link.ifindex == ifindex).copied()
    }

    /// What is known of a link beyond its status.
    pub(super) fn report(&self, link: &Link, paces: bool) -> Result<LinkReport> {
        let position = |hook| hooks::position(link, hook, &self.pins);
        Ok(LinkReport {
            status: self.status(link, paces),
            ingress: position(Hook::Ingress)?,
            egress: position(Hook::Egress)?,
            other_instances: hooks::other_instances(link, &self.pins)?,
        })
    }

    /// Notes which row a link is limited by, and what it adds to each packet, under the policy of
    /// `bank`.
    pub(super) fn set_limit(
        &mut self,
        link: &Link,
        row: u32,
        overhead_bytes: u16,
        bank: u32,
    ) -> Result<()> {
        let mut link = Link { common: row, ..*link };
        link.overhead_bytes[bank as usize] = overhead_bytes.into();
        self.write(&link)
    }

    /// Notes which links can delay packets, and how many, by the qdiscs they have now.
    pub(super) fn check_pacing(&mut self) -> Result<()> {
        if self.links.is_empty() {
            return Ok(());
        }
        let qdiscs = Qdiscs::read()?;
        for link in self.links.clone() {
            let Some(interface) = Interface::with_index(link.ifindex) else { continue };
            let room = qdiscs.fq_room(&interface)?;
            match room {
                Some(room) => self.fq.insert(link.ifindex, room),
                None => self.fq.remove(&link.ifindex),
            };
            let flag = if room.is_some() { Link::PACES } else { 0 };
            if link.flags & Link::PACES != flag {
                self.write(&Link { flags: link.flags & !Link::PACES | flag, ..link })?;
            }
        }
        Ok(())
    }

    /// Detaches every link.
    pub(super) fn detach_all(&mut self) -> Result<()> {
        for link in self.links.clone() {
            self.drop_link(&link)?;
        }
        self.remove_orphans()
    }

    /// Detaches both programs, removes the qdisc if it is ours, then forgets the link.
    ///
    /// What an earlier agent has attached, and this one has yet to take over, stays.
    pub(super) fn drop_link(&mut self, link: &Link) -> Result<()> {
        let waits = |hook: &Hook| {
            self.waiting.iter().flatten().any(|found| *found == (link.ifindex, *hook))
        };
        let own: Vec<_> = HOOKS.into_iter().filter(|hook| !waits(hook)).collect();
        self.drop_hooks(link, &own)
    }

    /// The same for the hooks that are named.
    fn drop_hooks(&mut self, link: &Link, hooks: &[Hook]) -> Result<()> {
        let interface = Interface::with_index(link.ifindex);
        for &hook in hooks {
            hooks::detach(link, interface.as_ref(), hook, &self.pins)?;
        }
        if let Some(interface) = interface.filter(|_| link.flags & Link::MADE_QDISC != 0) {
            hooks::remove_qdisc_if_unused(&interface)?;
        }
        if let Some(slot) = self.slot_of(link.ifindex)? {
            self.write_slot(slot, &Link::default())?;
        }
        self.links.retain(|known| known.ifindex != link.ifindex);
        self.waiting
            .iter_mut()
            .for_each(|waiting| waiting.retain(|(index, _)| *index != link.ifindex));
        self.fq.remove(&link.ifindex);
        self.told.remove(&link.ifindex);
        Ok(())
    }

    /// What a link is, for reports. `paces` says whether a limit does.
    pub(super) fn status(&self, link: &Link, paces: bool) -> LinkStatus {
        let pace_ready = paces.then_some(link.flags & Link::PACES != 0);
        LinkStatus {
            interface: Interface::with_index(link.ifindex).map(|interface| interface.name),
            ifindex: link.ifindex,
            side: if link.side == Side::Near as u32 { Side::Near } else { Side::Far },
            hook: hook_kind(link),
            pace_ready,
            fq: self.fq.get(&link.ifindex).copied().filter(|_| pace_ready == Some(true)),
        }
    }

    /// Writes a link into the slot that it has, or else into a free one.
    fn write(&mut self, link: &Link) -> Result<()> {
        let slot = match self.slot_of(link.ifindex)? {
            Some(slot) => Some(slot),
            None => self.slot_of_index(link.ifindex, 0)?,
        };
        let slot = slot.ok_or_else(|| {
            Error::failed(format!(
                "attaching to interface {}: every slot that its index leads to is taken",
                link.ifindex
            ))
        })?;
        self.write_slot(slot, link)?;
        self.links.retain(|known| known.ifindex != link.ifindex);
        self.links.push(*link);
        self.links.sort_unstable_by_key(|link| link.index);
        Ok(())
    }

    fn slot_of(&self, ifindex: u32) -> Result<Option<u32>> {
        self.slot_of_index(ifindex, ifindex)
    }

    /// The first slot for `ifindex` that holds the link of `found`; 0 means a free slot.
    fn slot_of_index(&self, ifindex: u32, found: u32) -> Result<Option<u32>> {
        for slot in (0..LINK_PROBES).map(|probe| link_slot(ifindex, probe)) {
            let Raw(link) = self.map.get(&slot, 0).doing(Kind::Failed, || "reading map LINKS")?;
            if link.ifindex == found {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    fn write_slot(&mut self, slot: u32, link: &Link) -> Result<()> {
        let doing = || "writing map LINKS";
        fault::before("writing a link").doing(Kind::Failed, doing)?;
        self.map.set(slot, Raw(*link), 0).doing(Kind::Failed, doing)
    }

    /// The lowest number that no link has.
    fn free_number(&self) -> Result<u32> {
        let is_free = |number: &u32| self.links.iter().all(|link| link.index != *number);
        (0..MAX_LINKS).find(is_free).ok_or_else(|| {
            Error::failed(format!("attaching another link: an instance has at most {MAX_LINKS}"))
        })
    }
}

fn hook_kind(link: &Link) -> HookKind {
    if link.flags & Link::CLSACT == 0 { HookKind::Tcx } else { HookKind::Clsact }
}
