//! Links: interfaces that the programs are attached to.

use super::{Direction, Hook};
use crate::packet::LinkHeader;

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
    /// [`Link::CLSACT`] and the other flags.
    pub flags: u32,
    /// Index of the link's common buckets; [`Limit::NO_ROW`](super::Limit::NO_ROW) when the whole
    /// link was never limited.
    pub common: u32,
    /// Per bank of the policy, bytes that the link adds to each packet.
    pub overhead_bytes: [u32; 2],
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
}

impl Link {
    /// Attached through the clsact qdisc, not TCX; for the agent only.
    pub const CLSACT: u32 = 1;
    /// The clsact qdisc was added by the agent; for the agent only.
    pub const MADE_QDISC: u32 = 1 << 1;
    /// Packets begin with their IP header.
    pub const NO_LINK_HEADER: u32 = 1 << 2;
    /// The egress qdisc keeps departure times.
    pub const PACES: u32 = 1 << 3;

    /// What packets begin with.
    #[inline(always)]
    #[must_use]
    pub const fn header(&self) -> LinkHeader {
        if self.flags & Self::NO_LINK_HEADER == 0 { LinkHeader::Ethernet } else { LinkHeader::None }
    }

    /// Whether packets at `hook` can be delayed.
    #[inline(always)]
    #[must_use]
    pub const fn can_pace(&self, hook: Hook) -> bool {
        match hook {
            Hook::Ingress => false,
            Hook::Egress => self.flags & Self::PACES != 0,
        }
    }

    /// Bytes that the link adds to each packet under the policy of `bank`.
    #[inline(always)]
    #[must_use]
    pub const fn overhead(&self, bank: u32) -> u32 {
        self.overhead_bytes[bank as usize & 1]
    }

    /// Which way a packet at `hook` goes.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, hook: Hook) -> Direction {
        Direction::from_parity(self.side ^ hook as u32)
    }
}

const _: () = {
    assert!(size_of::<Link>() == 32);
    assert!(LINK_SLOTS.is_power_of_two());
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Side;

    #[test]
    fn a_host_is_up_where_it_sends_from() {
        let link = |side: Side| Link { side: side as u32, ..Link::default() };
        for (side, ingress, egress) in [
            (Side::Far, Direction::Up, Direction::Down),
            (Side::Near, Direction::Down, Direction::Up),
        ] {
            assert_eq!(link(side).direction(Hook::Ingress), ingress);
            assert_eq!(link(side).direction(Hook::Egress), egress);
        }
    }
}
