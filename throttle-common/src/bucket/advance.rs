//! What a processor is charged for in advance, so that processors seldom meet at the word of a bucket
//! that every packet crosses.
//!
//! A processor that charges such a bucket takes a stretch of its time along: the word moves on by the
//! packet and by the stretch, and the next packets are charged to the stretch, which no other processor
//! sees. What the last of them costs beyond it is charged to the bucket. Of a stretch only what lies in the
//! future counts, as it does of the bucket itself. All stretches together are part of the debt, so the
//! bucket passes no more than it would without them, in any window.
//!
//! A bucket that is more than a quarter full gives nothing in advance. A limit that is reached is thus
//! kept packet by packet, to the same exactness; what processors hold unused is at most a quarter of the
//! burst, until its time has passed.

use core::cell::Cell;

use crate::{abi::Direction, rate::Rate};

/// Entries of map `ADVANCES`; a power of two.
pub const ADVANCES: u32 = 2048;

/// Debt up to which something is taken along, in parts of the burst, as a power of two.
const FILL_SHIFT: u32 = 2;

/// Packets that a stretch has to last for, as a power of two: fewer are not worth it.
const PACKETS_SHIFT: u32 = 2;

/// What one processor has of both buckets of a level in advance. Map `ADVANCES`: per-CPU array by
/// [`advance_index`]; used by the program. Not pinned: what is lost was charged.
#[repr(C)]
pub struct Advances {
    /// Whose they are: rows that share an entry take turns, and a new limit begins anew.
    owner: Cell<u64>,
    pub(super) bytes: Advance,
    pub(super) packets: Advance,
}

// SAFETY: in the kernel it lies in a per-CPU map alone, and a classifier is not preempted by another.
#[cfg(target_arch = "bpf")]
unsafe impl Sync for Advances {}

/// Where a processor keeps what it has of a row in advance.
#[inline(always)]
#[must_use]
pub const fn advance_index(row: u32, direction: Direction) -> u32 {
    (row * 2 + direction as u32) % ADVANCES
}

impl Advances {
    /// Nothing in advance.
    #[must_use]
    pub const fn new() -> Self {
        Self { owner: Cell::new(0), bytes: Advance::new(), packets: Advance::new() }
    }

    /// What there is of a row under the limit in a slot: nothing, if it was another's.
    #[inline(always)]
    pub fn of(&self, row: u32, slot: u32) -> &Self {
        let owner = u64::from(row) << 32 | u64::from(slot);
        if self.owner.get() != owner {
            self.owner.set(owner);
            self.bytes.drop();
            self.packets.drop();
        }
        self
    }

    #[inline(always)]
    pub(super) fn phase(&self) -> u64 {
        self.bytes.from.get() ^ self.packets.from.get()
    }
}

impl Default for Advances {
    fn default() -> Self {
        Self::new()
    }
}

/// A stretch of a bucket's time, in ticks; empty where it ends before it begins.
#[repr(C)]
pub(super) struct Advance {
    from: Cell<u64>,
    to: Cell<u64>,
}

/// How much a packet that found a debt takes along, in ticks.
#[inline(always)]
pub(super) const fn size(rate: &Rate, debt: u64, cost: u64) -> u64 {
    let size = rate.burst_ticks >> (rate.advance_shift & 63);
    let has_room = debt <= rate.burst_ticks >> FILL_SHIFT;
    if has_room && cost <= size >> PACKETS_SHIFT { size } else { 0 }
}

impl Advance {
    pub(super) const fn new() -> Self {
        Self { from: Cell::new(0), to: Cell::new(0) }
    }

    /// Whether some of it lies in the future.
    #[inline(always)]
    pub(super) fn has_room(&self, now: u64) -> bool {
        self.start(now) < self.to.get()
    }

    /// Charges a packet if there is any room, and returns what the bucket is to be charged besides;
    /// `None` if there is none.
    #[inline(always)]
    pub(super) fn spend(&self, now: u64, cost: u64) -> Option<u64> {
        let (start, to) = (self.start(now), self.to.get());
        if start >= to {
            return None;
        }
        let end = start + cost;
        self.from.set(end);
        Some(end.saturating_sub(to))
    }

    /// Holds the `size` ticks from `from` on, in the place of what is left.
    #[inline(always)]
    pub(super) fn take(&self, from: u64, size: u64) {
        self.from.set(from);
        self.to.set(from + size);
    }

    #[inline(always)]
    fn drop(&self) {
        self.to.set(0);
    }

    #[inline(always)]
    fn start(&self, now: u64) -> u64 {
        let from = self.from.get();
        if from > now { from } else { now }
    }

    /// Where it ends.
    #[cfg(test)]
    pub(super) fn end(&self) -> u64 {
        self.to.get()
    }

    /// Ticks that have not been spent, whether their time has passed or not.
    #[cfg(test)]
    pub(super) fn left(&self) -> u64 {
        self.to.get().saturating_sub(self.from.get())
    }
}

const _: () = {
    assert!(size_of::<Advances>() == 40);
    assert!(ADVANCES.is_power_of_two());
};
