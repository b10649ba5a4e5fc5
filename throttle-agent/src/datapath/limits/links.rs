//! Limits of whole links.
//!
//! A link names its row in map `LINKS`, which may refuse to be written. So a row that a link had is left aside until
//! no link names it: whoever had it sooner would be charged for that link's packets.

use throttle_common::abi;

use super::{Entry, LimitTable};
use crate::{
    datapath::{codec, counters::CounterTable},
    error::Result,
    policy::LinkLimit,
};

impl LimitTable {
    /// Puts the limit of the link on an interface in force; returns its row, which the link is to name.
    pub(in crate::datapath) fn set_link(
        &mut self,
        ifindex: u32,
        limit: &LinkLimit,
        bank: u32,
        counters: &mut CounterTable,
    ) -> Result<u32> {
        let known = self.links.get(&ifindex);
        let old = known.map(|known| (known.slot, known.index));
        if let Some(known) = known.filter(|known| known.stated == *limit) {
            return Ok(known.index);
        }
        let mut encoded = codec::encode_link(limit)?;
        let index = old.map(|(_, index)| index);
        self.check_room("the limit of a link", self.count() + usize::from(old.is_none()))?;
        let slot = self.place("the limit of a link", &mut encoded, index, counters)?;
        self.rows.point(encoded.index, bank, slot);
        self.links.insert(ifindex, Entry::new(limit.clone(), &encoded, slot));
        self.replaced(old);
        Ok(encoded.index)
    }

    /// Takes the limit of a link out of force.
    pub(in crate::datapath) fn remove_link(&mut self, ifindex: u32, bank: u32) {
        if let Some(old) = self.links.remove(&ifindex) {
            self.rows.point(old.index, bank, abi::Limit::UNLIMITED_SLOT);
            self.leave(&old);
        }
    }

    /// Forgets the limits of links that are not among `present`.
    pub(in crate::datapath) fn retain_links(&mut self, present: &[u32], bank: u32) {
        let lost: Vec<_> =
            self.links.keys().copied().filter(|ifindex| !present.contains(ifindex)).collect();
        lost.into_iter().for_each(|ifindex| self.remove_link(ifindex, bank));
    }

    /// Frees the slot of a limit that a link no longer has, and leaves its row aside.
    pub(super) fn leave(&mut self, old: &Entry<LinkLimit>) {
        self.release_slot(old.slot);
        self.left_rows.push(old.index);
    }

    /// Frees the rows that links had, but for those that one of them still names.
    pub(in crate::datapath) fn free_left_rows(&mut self, named: &[u32]) {
        let (kept, free) = self.left_rows.drain(..).partition(|row| named.contains(row));
        self.left_rows = kept;
        let free: Vec<_> = free;
        free.into_iter().for_each(|row| self.rows.release_index(row));
    }
}

/// Whether a link has any rate.
pub(in crate::datapath) fn limits_anything(limit: &LinkLimit) -> bool {
    ![limit.up, limit.down, limit.total].iter().all(|rates| rates.is_empty())
}
