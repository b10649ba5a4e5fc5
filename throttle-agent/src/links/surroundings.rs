//! What is around the links: the interfaces that they are on, and what else handles their packets.

use std::collections::BTreeSet;

use crate::{
    datapath::LinkStatus,
    error::Result,
    netlink::{self, Flowtable, Interface, Qdisc},
};

/// The qdisc that gives every hardware queue a qdisc of its own.
const MQ: &str = "mq";
/// Parent of the qdisc of a whole interface; of linux/pkt_sched.h.
const ROOT: u32 = u32::MAX;
/// Parents from here on are hooks, not classes.
const FIRST_HOOK: u32 = 0xffff_0000;

/// Whether packets can pass an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// They can.
    Up,
    /// It was set down.
    Down,
    /// Its cable or its peer is missing or down.
    NoCarrier,
    /// It is gone, or has just changed.
    Unknown,
}

/// The interfaces, qdiscs and flowtables of the network namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// All interfaces.
    pub(crate) interfaces: Vec<Interface>,
    /// The qdiscs of all interfaces.
    pub(crate) qdiscs: Vec<Qdisc>,
    /// All flowtables.
    pub(crate) flowtables: Vec<Flowtable>,
}

impl Surroundings {
    /// Asks the kernel.
    ///
    /// # Errors
    /// It does not tell.
    pub(crate) fn read() -> Result<Self> {
        let flowtables = netlink::flowtables().unwrap_or_else(|error| {
            tracing::debug!("{error}");
            Vec::new()
        });
        Ok(Self { interfaces: netlink::interfaces()?, qdiscs: netlink::qdiscs()?, flowtables })
    }

    /// The interface of a link; `None` when it is gone or has just changed.
    pub(crate) fn interface(&self, link: &LinkStatus) -> Option<&Interface> {
        let name = link.interface.as_deref()?;
        self.interfaces.iter().find(|found| found.index == link.ifindex && found.name == name)
    }

    /// Whether packets can pass the interface of a link.
    pub(crate) fn state(&self, link: &LinkStatus) -> LinkState {
        match self.interface(link) {
            None => LinkState::Unknown,
            Some(interface) if !interface.is_up => LinkState::Down,
            Some(interface) if !interface.has_carrier => LinkState::NoCarrier,
            Some(_) => LinkState::Up,
        }
    }

    /// The egress qdisc of a link, as in `fq`, or `mq:fq` with those of its queues.
    pub(crate) fn qdisc(&self, link: &LinkStatus) -> Option<String> {
        let root = &self.interface(link)?.qdisc;
        if root != MQ {
            return Some(root.clone());
        }
        let is_queue = |qdisc: &&Qdisc| {
            qdisc.ifindex == link.ifindex && qdisc.parent != ROOT && qdisc.parent < FIRST_HOOK
        };
        let kinds: BTreeSet<_> =
            self.qdiscs.iter().filter(is_queue).map(|qdisc| qdisc.kind.as_str()).collect();
        Some(format!("{MQ}:{}", Vec::from_iter(kinds).join("+")))
    }

    /// The interfaces that packets of this one go through as well, with the same addresses.
    pub(crate) fn below<'a>(&'a self, interface: &'a Interface) -> Vec<&'a Interface> {
        let mut below: Vec<&Interface> = Vec::new();
        let mut above = vec![interface];
        while let Some(upper) = above.pop() {
            for lower in self.interfaces.iter().filter(|lower| upper.is_over(lower)) {
                if lower.index != interface.index
                    && below.iter().all(|known| known.index != lower.index)
                {
                    below.push(lower);
                    above.push(lower);
                }
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::HookKind;

    fn interface(index: u32, name: &str, qdisc: &str) -> Interface {
        let (name, qdisc) = (name.to_owned(), qdisc.to_owned());
        Interface { index, name, qdisc, is_up: true, has_carrier: true, ..Interface::default() }
    }

    fn link(ifindex: u32, name: &str) -> LinkStatus {
        LinkStatus {
            interface: Some(name.to_owned()),
            ifindex,
            side: throttle_common::abi::Side::Far,
            hook: HookKind::Tcx,
            pace_ready: None,
            fq: None,
        }
    }

    #[test]
    fn a_qdisc_is_named_with_those_of_its_queues() {
        let qdisc = |kind: &str, parent| Qdisc { ifindex: 2, kind: kind.to_owned(), parent };
        let around = Surroundings {
            interfaces: vec![interface(2, "eth0", "mq"), interface(3, "eth1", "fq")],
            qdiscs: vec![
                qdisc("mq", ROOT),
                qdisc("fq", 0x1_0001),
                qdisc("fq", 0x1_0002),
                qdisc("clsact", 0xffff_fff1),
                Qdisc { ifindex: 3, ..qdisc("htb", 0x1_0001) },
            ],
            flowtables: Vec::new(),
        };
        assert_eq!(around.qdisc(&link(2, "eth0")).unwrap(), "mq:fq");
        assert_eq!(around.qdisc(&link(3, "eth1")).unwrap(), "fq");
        assert_eq!(around.qdisc(&link(3, "eth9")), None, "that one is gone");
    }

    #[test]
    fn an_interface_without_a_carrier_is_not_up() {
        let mut down = interface(3, "eth1", "fq");
        down.is_up = false;
        let mut unplugged = interface(4, "eth2", "fq");
        unplugged.has_carrier = false;
        let interfaces = vec![interface(2, "eth0", "fq"), down, unplugged];
        let around = Surroundings { interfaces, ..Surroundings::default() };
        let state = |ifindex, name| around.state(&link(ifindex, name));
        assert_eq!(state(2, "eth0"), LinkState::Up);
        assert_eq!(state(3, "eth1"), LinkState::Down);
        assert_eq!(state(4, "eth2"), LinkState::NoCarrier);
        assert_eq!(state(5, "eth3"), LinkState::Unknown);
    }
}
