//! Links: interfaces that the programs are attached to.

use super::{Direction, Hook, Side};

/// Links that one instance can have.
pub const MAX_LINKS: u32 = 256;

/// Slots of map `LINKS`; a power of two.
pub const LINK_SLOTS: u32 = 1024;

/// Slots that a link may be in, one after the other from [`link_slot`] on.
pub const LINK_PROBES: u32 = 4;

/// The `probe`-th slot that the link of an interface may be in.
#[inline(always)]
#[must_use]
pub const fn link_slot(ifindex: u32, probe: u32) -> u32 {
    ifindex.wrapping_add(probe) % LINK_SLOTS
}

/// One link. Map `LINKS`: array by [`link_slot`], which costs a tenth of a hash; written by the agent.
/// A packet on an interface that no slot names is not ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Link {
    /// Index of the interface; 0 in a free slot.
    pub ifindex: u32,
    /// Index of the link's counters.
    pub index: u32,
    /// [`Side`] as a number.
    pub side: u32,
    /// [`Link::CLSACT`] and [`Link::MADE_QDISC`]; for the agent only.
    pub flags: u32,
}

impl Link {
    /// Attached through the clsact qdisc, not TCX.
    pub const CLSACT: u32 = 1;
    /// The clsact qdisc was added by the agent.
    pub const MADE_QDISC: u32 = 2;

    /// Which way a packet at `hook` goes.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, hook: Hook) -> Direction {
        let far = self.side == Side::Far as u32;
        match hook {
            Hook::Ingress if far => Direction::Up,
            Hook::Ingress => Direction::Down,
            Hook::Egress if far => Direction::Down,
            Hook::Egress => Direction::Up,
        }
    }
}

const _: () = {
    assert!(size_of::<Link>() == 16);
    assert!(LINK_SLOTS.is_power_of_two());
};
