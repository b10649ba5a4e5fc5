//! Where limits live: slots of map `LIMITS`, and rows of map `SHARED` with the buckets that many hosts
//! are charged to. The number of a row is also the index of a limit's counters.

use std::time::Duration;

use throttle_common::{
    abi::{self, CommonBuckets, CommonDirection, Direction},
    cell::AtomicWord,
};

use super::pool::{Pool, REST};
use crate::{
    datapath::{counters::CounterTable, layout::ROWS_PER_LIMIT, mapped::Mapped},
    error::{Error, Result},
    fault,
};

/// Maps `LIMITS` and `SHARED`.
pub(in crate::datapath) struct Rows {
    limits: Mapped<abi::Limit>,
    common: Mapped<CommonBuckets>,
    slots: Pool,
    indices: Pool,
}

/// Theoretical arrival times of one direction's common buckets, in ticks.
pub(in crate::datapath) struct CommonTats {
    /// The byte bucket's.
    pub(in crate::datapath) bytes: u64,
    /// The packet bucket's.
    pub(in crate::datapath) packets: u64,
}

impl Rows {
    /// Wraps the maps; nothing is free yet.
    pub(super) fn new(limits: Mapped<abi::Limit>, common: Mapped<CommonBuckets>) -> Self {
        let nothing = || Pool::new(std::iter::empty(), Duration::ZERO);
        Self { limits, common, slots: nothing(), indices: nothing() }
    }

    /// Everything but what is in use becomes free.
    pub(super) fn adopt(&mut self, in_use: &[(u32, u32)]) {
        let rest = if in_use.is_empty() { Duration::ZERO } else { REST };
        let mut slots = vec![false; self.limits.len()];
        let mut indices = vec![false; self.common.len()];
        slots[abi::Limit::UNLIMITED_SLOT as usize] = true;
        indices[abi::Limit::NO_ROW as usize] = true;
        for &(slot, index) in in_use {
            slots[slot as usize] = true;
            indices[index as usize] = true;
        }
        let free = |used: Vec<bool>| {
            let numbered = used.into_iter().enumerate();
            numbered.filter(|(_, used)| !used).map(|(number, _)| number as u32)
        };
        self.slots = Pool::new(free(slots), rest);
        self.indices = Pool::new(free(indices), rest);
    }

    /// How many limits of prefixes, groups and links there can be.
    pub(super) fn capacity(&self) -> usize {
        (self.common.len() - 1) / ROWS_PER_LIMIT as usize
    }

    /// Every row that a limit may have.
    pub(super) fn indices(&self) -> std::ops::Range<u32> {
        abi::Limit::NO_ROW + 1..self.common.len() as u32
    }

    /// The limit in a slot.
    pub(super) fn limit(&self, slot: u32) -> Result<abi::Limit> {
        let found = self.limits.read(slot as usize);
        found.ok_or_else(|| Error::failed(format!("map LIMITS has no slot {slot}")))
    }

    /// The buckets of a row.
    pub(super) fn common(&self, index: u32) -> Option<&CommonBuckets> {
        self.common.entries().get(index as usize)
    }

    /// Arrival times of the common buckets of a row.
    pub(in crate::datapath) fn tats(&self, index: u32, direction: Direction) -> CommonTats {
        let buckets = self.common(index).map(|common| &common.direction(direction).buckets);
        CommonTats {
            bytes: buckets.map_or(0, |buckets| buckets.bytes_tat.load()),
            packets: buckets.map_or(0, |buckets| buckets.packets_tat.load()),
        }
    }

    /// A row whose counters and buckets are as new.
    pub(super) fn take_index(&mut self, what: &str, counters: &mut CounterTable) -> Result<u32> {
        let index = self.indices.take().ok_or_else(|| {
            Error::failed(format!("setting {what}: no row is free in map SHARED"))
        })?;
        if let Some(common) = self.common(index) {
            common
                .directions
                .iter()
                .flat_map(CommonDirection::cells)
                .for_each(|cell| cell.store(0));
        }
        counters.clear_limit(index).inspect_err(|_| self.indices.restore([index]))?;
        Ok(index)
    }

    /// Writes a limit into a slot that no packet uses.
    pub(super) fn write(&mut self, what: &str, limit: &abi::Limit) -> Result<u32> {
        let slot = self.slots.take().ok_or_else(|| {
            Error::failed(format!("setting {what}: no slot is free in map LIMITS"))
        })?;
        self.limits.write(slot as usize, limit);
        fault::after("writing a limit");
        Ok(slot)
    }

    /// Points the level of a row at the limit in a slot under the policy of `bank`.
    pub(super) fn point(&self, index: u32, bank: u32, slot: u32) {
        if let Some(common) = self.common(index) {
            common.directions.iter().for_each(|direction| direction.set_slot(bank, slot));
        }
    }

    /// Gives a slot back that packets may still be using.
    pub(super) fn release_slot(&mut self, slot: u32) {
        self.slots.release(slot);
    }

    /// Gives a row back that packets may still be using.
    pub(super) fn release_index(&mut self, index: u32) {
        self.indices.release(index);
    }

    /// Gives slots and rows back that no packet has seen.
    pub(super) fn restore(&mut self, slots: Vec<u32>, indices: Vec<u32>) {
        self.slots.restore(slots);
        self.indices.restore(indices);
    }
}
