//! Puts back what others have removed.

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
    error::Error,
};

impl LinkTable {
    /// Attaches again where others have detached a program; returns those links.
    pub(in crate::datapath) fn restore(&mut self, ebpf: &mut Ebpf, kind: HookKind) -> Vec<Link> {
        let mut restored = Vec::new();
        for link in self.links.clone() {
            if hook_kind(&link) != kind {
                continue;
            }
            // One that has just gone is dropped by whoever follows interfaces.
            let Some(interface) = Interface::with_index(link.ifindex) else { continue };
            let (is_restored, failed) = self.restore_link(ebpf, &link, &interface);
            if is_restored {
                restored.push(link);
            }
            self.tell(&link, failed);
        }
        restored
    }

    /// Attaches each program of a link again that is gone; returns whether one was, and the last failure.
    fn restore_link(
        &self,
        ebpf: &mut Ebpf,
        link: &Link,
        interface: &Interface,
    ) -> (bool, Option<Error>) {
        let (mut is_restored, mut failed) = (false, None);
        for hook in HOOKS {
            let outcome = hooks::is_in_place(link, hook, &self.pins).and_then(|is_in_place| {
                if is_in_place {
                    return Ok(false);
                }
                let program = classifier(ebpf, hook)?;
                hooks::attach(link, program, interface, hook, &self.pins).map(|()| true)
            });
            match outcome {
                Ok(is_attached) => is_restored |= is_attached,
                Err(error) => failed = Some(error),
            }
        }
        (is_restored, failed)
    }

    /// Tells once why a link cannot be attached again.
    fn tell(&mut self, link: &Link, failed: Option<Error>) {
        let Some(error) = failed else {
            self.told.remove(&link.ifindex);
            return;
        };
        if Interface::with_index(link.ifindex).is_none() {
            return;
        }
        let words = error.to_string();
        if self.told.get(&link.ifindex) != Some(&words) {
            tracing::warn!("{words}");
            self.told.insert(link.ifindex, words);
        }
    }

    /// Makes the pins that are missing; `false` while one cannot be made.
    pub(in crate::datapath) fn restore_pins(&self) -> bool {
        self.pins.restore()
    }
}
