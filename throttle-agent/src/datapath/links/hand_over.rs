//! From the programs of an earlier agent to those of this one.

use std::{fs, io};

use aya::Ebpf;
use throttle_common::abi::Link;

use super::{LinkTable, hook_kind};
use crate::{
    datapath::{
        hooks::{self, HOOKS},
        interface::Interface,
        object::classifier,
        state::HookKind,
    },
    error::{Kind, Result, ResultExt},
};

impl LinkTable {
    /// Puts new programs in the place of an earlier agent's, and drops links whose interface is gone.
    ///
    /// These have their policy. Of links that are attached from now on, what an earlier agent has there waits for
    /// [`take_over`](Self::take_over).
    pub(in crate::datapath) fn adopt(&mut self, ebpf: &mut Ebpf) -> Result<()> {
        for link in self.links.clone() {
            let Some(interface) = Interface::with_index(link.ifindex) else {
                tracing::warn!(ifindex = link.ifindex, "interface is gone: its link is dropped");
                self.drop_link(&link)?;
                continue;
            };
            for hook in HOOKS {
                let is_added = !hooks::is_in_place(&link, hook, &self.pins)?;
                self.attach_hook(ebpf, &link, &interface, hook)?;
                if is_added {
                    hooks::remove_older(&link, &interface, hook)?;
                }
            }
            tracing::info!(interface = interface.name, "link adopted");
        }
        self.waiting = Some(Vec::new());
        Ok(())
    }

    /// The policy is in force: puts new programs in the place of those that have enforced until now, and removes
    /// what no link knows of.
    pub(in crate::datapath) fn take_over(&mut self, ebpf: &mut Ebpf) -> Result<()> {
        while let Some(&(ifindex, hook)) = self.waiting.iter().flatten().next_back() {
            let interface = Interface::with_index(ifindex);
            if let Some((link, interface)) = self.with_index(ifindex).zip(interface) {
                hooks::attach(&link, classifier(ebpf, hook)?, &interface, hook, &self.pins)?;
                tracing::info!(
                    interface = interface.name,
                    ?hook,
                    "program of an earlier agent replaced"
                );
            }
            self.waiting.as_mut().and_then(Vec::pop);
        }
        self.waiting = None;
        self.pins.complete()?;
        self.pins.allow_missing();
        self.remove_orphans()?;
        hooks::remove_strays(&self.pins, |ifindex| self.has(ifindex, HookKind::Clsact)).map(drop)
    }

    /// Detaches pinned links that no entry knows: an agent ended between the two, or lost the map.
    pub(super) fn remove_orphans(&self) -> Result<()> {
        let directory = self.pins.directory();
        let pins = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.doing(Kind::Failed, || format!("reading {}", directory.display()))?),
        };
        for pin in pins.into_iter().flatten().flatten() {
            let name = pin.file_name();
            let ifindex = name
                .to_str()
                .and_then(|name| name.strip_prefix("link-")?.split('-').next()?.parse().ok());
            let Some(ifindex) = ifindex.filter(|ifindex| !self.has(*ifindex, HookKind::Tcx)) else {
                continue;
            };
            let orphan = Link { ifindex, ..Link::default() };
            HOOKS
                .into_iter()
                .try_for_each(|hook| hooks::detach(&orphan, None, hook, &self.pins))?;
        }
        Ok(())
    }

    fn has(&self, ifindex: u32, kind: HookKind) -> bool {
        self.links.iter().any(|link| link.ifindex == ifindex && hook_kind(link) == kind)
    }
}
