//! Hosts and the buckets that packets are charged to.

use super::Direction;
use crate::{
    cell::{AtomicWord, Cell, Half},
    host_table,
};

/// Overflow buckets; a power of two.
pub const OVERFLOW_BUCKETS: u32 = 1024;

/// Buckets of one direction.
#[repr(C)]
pub struct Buckets {
    /// Theoretical arrival time of the byte bucket, in ticks.
    pub bytes_tat: Cell,
    /// Theoretical arrival time of the packet bucket, in ticks.
    pub packets_tat: Cell,
    /// The limit that they were last renewed under; see [`Binding`]. A host's is the limit that holds it.
    pub binding: Cell,
}

/// One direction of a host: one cache line.
#[repr(C)]
pub struct HostDirection {
    /// The host's own buckets.
    pub buckets: Buckets,
    /// When the last packet came; see [`seen_word`](super::seen_word). 0 before the first.
    pub last_seen: Half,
    /// When and why a packet last found no room; see [`LastExcess`](super::LastExcess). 0 for never.
    pub last_excess: Half,
    /// Layer-3 bytes that passed.
    pub passed_bytes: Cell,
    /// Wire packets that passed.
    pub passed_packets: Cell,
    /// Layer-3 bytes that found no room.
    pub excess_bytes: Cell,
    /// Wire packets that found no room.
    pub excess_packets: Cell,
}

impl HostDirection {
    /// Clears everything.
    pub fn clear(&self) {
        let Buckets { bytes_tat, packets_tat, binding } = &self.buckets;
        let Self { passed_bytes, passed_packets, excess_bytes, excess_packets, .. } = self;
        let buckets = [bytes_tat, packets_tat, binding];
        let counters = [passed_bytes, passed_packets, excess_bytes, excess_packets];
        buckets.into_iter().chain(counters).for_each(|cell| cell.store(0));
        [&self.last_seen, &self.last_excess].into_iter().for_each(|half| half.store(0));
    }
}

/// Tags of the hosts in one set of the host table. Map `HOST_SETS`: array; see
/// [`host_table`](crate::host_table). Claimed by the program, or by the agent through shared memory,
/// and freed by the agent.
#[repr(C)]
pub struct HostSet {
    /// One tag per way.
    pub tags: [Cell; host_table::WAYS as usize],
}

/// One host. Map `HOSTS`: array by way; all zero until the way is claimed, then changed by the program.
/// The agent reads it through shared memory.
#[repr(C)]
pub struct Host {
    /// Per [`Direction`].
    pub directions: [HostDirection; 2],
}

impl Host {
    /// The state of one direction.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &HostDirection {
        &self.directions[direction as usize]
    }
}

/// The address of one host, where tags do not tell it. Map `HOST_NAMES`: array by way; written by
/// whoever claims the way, read by the agent. It has one entry where tags tell every address.
#[repr(C)]
pub struct HostName {
    /// The two halves of the address, each in network order in memory; zeros until written.
    pub words: [Cell; 2],
}

/// What keeps a flood from filling the host table at once. Map `BUDGET`: array of one; changed by the
/// program.
#[repr(C)]
pub struct Budget {
    /// Theoretical arrival time of the bucket of hosts that traffic makes, in ticks.
    pub tat: Cell,
    reserved: [u64; 7],
}

/// Buckets that many hosts are charged to. Maps `SHARED`: array by [`Limit::index`](super::Limit), and
/// `OVERFLOW`: array by hash; changed by the program. The agent points `SHARED` at limits.
#[repr(C)]
pub struct CommonBuckets {
    /// Per [`Direction`].
    pub directions: [CommonDirection; 2],
}

/// One direction of [`CommonBuckets`]: one cache line, apart from the other direction's.
#[repr(C)]
pub struct CommonDirection {
    /// The buckets.
    pub buckets: Buckets,
    /// Of a group or a link: per bank of the policy, the slot of the limit in force;
    /// [`Limit::UNLIMITED_SLOT`](super::Limit::UNLIMITED_SLOT) when nothing is limited.
    pub slots: [Cell; 2],
    reserved: [u64; 3],
}

impl CommonDirection {
    /// Slot of the limit that a group or a link is held to under the policy of `bank`.
    #[inline(always)]
    #[must_use]
    pub fn slot(&self, bank: u32) -> u32 {
        self.slots[bank as usize & 1].load() as u32
    }

    /// Points a group or a link at a limit under the policy of `bank`.
    pub fn set_slot(&self, bank: u32, slot: u32) {
        self.slots[bank as usize & 1].store(slot.into());
    }

    /// Every word.
    #[must_use]
    pub const fn cells(&self) -> [&Cell; 5] {
        let Buckets { bytes_tat, packets_tat, binding } = &self.buckets;
        let [first, second] = &self.slots;
        [bytes_tat, packets_tat, binding, first, second]
    }
}

impl CommonBuckets {
    /// The state of one direction.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &CommonDirection {
        &self.directions[direction as usize]
    }
}

/// A slot together with the generation under which it was looked up, as one word.
///
/// One word, so that two processors that bind a host under different generations cannot mix a slot
/// of one with the generation of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The generation; 0 in a word that was never written.
    pub generation: u32,
    /// The slot, or [`Binding::NO_LIMIT`].
    pub slot: u32,
}

impl Binding {
    /// In place of a slot: no limit holds the host.
    pub const NO_LIMIT: u32 = u32::MAX;

    /// The slot, or `None` when no limit holds the host.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self) -> Option<u32> {
        if self.slot == Self::NO_LIMIT { None } else { Some(self.slot) }
    }

    /// Reads the word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self { generation: (word >> 32) as u32, slot: word as u32 }
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }
}

const _: () = {
    assert!(size_of::<HostDirection>() == 64);
    assert!(size_of::<HostSet>() == 64);
    assert!(size_of::<Host>() == 128);
    assert!(size_of::<CommonBuckets>() == 128);
    assert!(size_of::<Budget>() == 64);
    assert!(size_of::<HostName>() == 16);
    assert!(core::mem::offset_of!(HostDirection, buckets.binding) == 16);
    assert!(core::mem::offset_of!(HostDirection, last_seen) == 24);
    assert!(core::mem::offset_of!(HostDirection, last_excess) == 28);
    assert!(OVERFLOW_BUCKETS.is_power_of_two());
};
