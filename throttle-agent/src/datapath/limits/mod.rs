//! The policy in force: limits of prefixes, groups and links.
//!
//! A limit that packets may be using is never written. A change fills a free slot, points the prefix,
//! the group or the link at it in one step and then switches the generation, so that each packet sees
//! the old limit or the new one. The old slot rests before it is used again, until no packet can still
//! hold it.

mod adopt;
mod apply;
mod lengths;
mod links;
mod pool;
mod prefixes;
mod rows;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ipnet::IpNet;
use throttle_common::abi::{self, LimitRates};

pub(super) use self::{apply::Next, links::limits_anything, rows::Rows};
use self::{lengths::Lengths, prefixes::Prefixes};
use super::{codec, counters::CounterTable, prefix::single_host, state::Change};
use crate::{
    error::{Error, Result},
    fault,
    policy::{Group, GroupName, Limit, LimitKey, LinkLimit, Match},
};

/// One limit in force.
pub(super) struct Entry<T> {
    /// As it was stated.
    pub(super) stated: T,
    /// Index of its counters and common buckets.
    pub(super) index: u32,
    /// As the kernel computes with it.
    pub(super) rates: [LimitRates; 2],
    slot: u32,
}

impl<T> Entry<T> {
    fn new(stated: T, encoded: &abi::Limit, slot: u32) -> Self {
        Self { stated, index: encoded.index, rates: encoded.rates, slot }
    }

    /// Slot of the limit.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }
}

/// Maps `PREFIXES`, `LIMITS` and `SHARED`, and what the agent knows about them.
pub(super) struct LimitTable {
    prefixes: Prefixes,
    rows: Rows,
    limits: BTreeMap<LimitKey, Entry<Limit>>,
    groups: BTreeMap<GroupName, Entry<Group>>,
    /// By index of the interface.
    links: BTreeMap<u32, Entry<LinkLimit>>,
    /// Rows that links had, and may still name: nobody's until none does.
    left_rows: Vec<u32>,
    /// By slot, the limit of a prefix that is in it.
    key_of_slot: Vec<Option<LimitKey>>,
    /// By slot, whether the limit in it keeps its hosts in the table; for a first look without a lock.
    kept_slots: Arc<[AtomicBool]>,
    ipv6_host_prefix: u8,
    special: Special,
}

/// How many limits need something of others: asked at every change, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Special {
    /// Limits that compare their prefix with the other address.
    peers: usize,
    /// Limits that pace.
    pacing: usize,
    /// How long the prefixes are that hosts are looked up by.
    lengths: Lengths,
}

impl Special {
    fn add(&mut self, limit: &Limit) {
        self.peers += usize::from(limit.matches == Match::Peer);
        self.pacing += usize::from(limit.action.paces());
        if limit.matches == Match::Host {
            self.lengths.add(&limit.prefix);
        }
    }

    fn remove(&mut self, limit: &Limit) {
        self.peers -= usize::from(limit.matches == Match::Peer);
        self.pacing -= usize::from(limit.action.paces());
        if limit.matches == Match::Host {
            self.lengths.remove(&limit.prefix);
        }
    }

    fn of<'a>(limits: impl Iterator<Item = &'a Limit>) -> Self {
        let mut special = Self::default();
        limits.for_each(|limit| special.add(limit));
        special
    }
}

impl LimitTable {
    /// Every limit of a prefix.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Entry<Limit>> {
        self.limits.values()
    }

    /// The limit of exactly this prefix.
    pub(super) fn get(&self, key: &LimitKey) -> Option<&Entry<Limit>> {
        self.limits.get(key)
    }

    /// The limit in a slot.
    pub(super) fn in_slot(&self, slot: u32) -> Option<&Entry<Limit>> {
        self.get(self.key_of_slot.get(slot as usize)?.as_ref()?)
    }

    /// The limit whose prefix is the longest to hold a host.
    pub(super) fn longest(&self, host: IpNet) -> Option<&Entry<Limit>> {
        self.holding(host).next()
    }

    /// The limits whose prefixes hold a host, the longest first.
    pub(super) fn holding(&self, host: IpNet) -> impl Iterator<Item = &Entry<Limit>> {
        let prefixes = self.special.lengths.prefixes_of(host);
        prefixes.map(LimitKey::host).filter_map(|key| self.get(&key))
    }

    /// Whether a limit keeps its hosts in the table however long they are idle: one of a single host, and
    /// one that grants a burst once, which coming back must not earn again.
    pub(super) fn keeps_hosts(&self, limit: &Limit) -> bool {
        limit.one_time_burst.is_some()
            || single_host(&limit.prefix, self.ipv6_host_prefix).is_some()
    }

    /// By slot, whether the limit in it [keeps its hosts](Self::keeps_hosts).
    pub(super) fn kept_slots(&self) -> Arc<[AtomicBool]> {
        Arc::clone(&self.kept_slots)
    }

    /// Every group.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Entry<Group>> {
        self.groups.values()
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &GroupName) -> Option<&Entry<Group>> {
        self.groups.get(name)
    }

    /// The limit of the link on an interface.
    pub(super) fn link(&self, ifindex: u32) -> Option<&Entry<LinkLimit>> {
        self.links.get(&ifindex)
    }

    /// Slots and common buckets.
    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// How many limits of prefixes, groups and links there can be.
    pub(super) fn capacity(&self) -> usize {
        self.rows.capacity()
    }

    /// Whether a limit compares its prefix with the other address.
    pub(super) fn has_peers(&self) -> bool {
        self.special.peers > 0
    }

    /// Whether a limit paces.
    pub(super) fn paces(&self) -> bool {
        self.special.pacing > 0
    }

    /// Puts the limit of a prefix in force. The caller switches the generation afterwards: hosts that
    /// are bound keep their limit until then.
    pub(super) fn set(
        &mut self,
        limit: &Limit,
        bank: u32,
        counters: &mut CounterTable,
    ) -> Result<Change> {
        let key = limit.key();
        let known = self.limits.get(&key);
        if known.is_some_and(|known| known.stated == *limit) {
            return Ok(Change::Unchanged);
        }
        let old = known.map(|known| (known.slot, known.index));
        let group = self.group_row(limit.group.as_ref())?;
        let mut encoded = codec::encode(limit, group)?;
        let what = format!("the limit for {key}");
        self.check_room(&what, self.count() + usize::from(old.is_none()))?;
        let slot = self.place(&what, &mut encoded, old.map(|(_, index)| index), counters)?;
        if let Err(error) = self.prefixes.insert(&key, bank, slot) {
            let new = old.is_none().then_some(encoded.index);
            self.rows.restore(vec![slot], new.into_iter().collect());
            return Err(error);
        }
        self.special.add(limit);
        if let Some(old) = self.limits.insert(key, Entry::new(limit.clone(), &encoded, slot)) {
            self.special.remove(&old.stated);
        }
        self.note_slot(slot, Some(limit));
        Ok(self.replaced(old))
    }

    /// Takes the limit of a prefix out of force; `false` when there is none. The caller switches the
    /// generation afterwards.
    pub(super) fn remove(&mut self, key: &LimitKey, bank: u32) -> Result<bool> {
        if !self.limits.contains_key(key) {
            return Ok(false);
        }
        self.prefixes.remove(key, bank)?;
        if let Some(old) = self.limits.remove(key) {
            self.special.remove(&old.stated);
            self.release(old.slot, old.index);
        }
        Ok(true)
    }

    /// Puts a group in force.
    pub(super) fn set_group(
        &mut self,
        group: &Group,
        bank: u32,
        counters: &mut CounterTable,
    ) -> Result<Change> {
        let known = self.groups.get(&group.name);
        if known.is_some_and(|known| known.stated == *group) {
            return Ok(Change::Unchanged);
        }
        let old = known.map(|known| (known.slot, known.index));
        let mut encoded = codec::encode_group(group)?;
        let what = format!("group {}", group.name);
        self.check_room(&what, self.count() + usize::from(old.is_none()))?;
        let slot = self.place(&what, &mut encoded, old.map(|(_, index)| index), counters)?;
        self.rows.point(encoded.index, bank, slot);
        fault::after("pointing a group at its limit");
        self.groups.insert(group.name.clone(), Entry::new(group.clone(), &encoded, slot));
        Ok(self.replaced(old))
    }

    /// Takes a group out of force; `false` when there is none.
    ///
    /// # Errors
    /// Limits are members of it.
    pub(super) fn remove_group(&mut self, name: &GroupName, bank: u32) -> Result<bool> {
        let members: Vec<_> = self
            .limits
            .iter()
            .filter(|(_, entry)| entry.stated.group.as_ref() == Some(name))
            .map(|(key, _)| *key)
            .collect();
        if !members.is_empty() {
            return Err(name.in_use(&members));
        }
        let Some(old) = self.groups.remove(name) else { return Ok(false) };
        self.rows.point(old.index, bank, abi::Limit::UNLIMITED_SLOT);
        fault::after("pointing a group at no limit");
        self.release(old.slot, old.index);
        Ok(true)
    }

    /// Does a part of what had to wait until no packet could see it, at most so many prefixes; `true`
    /// when nothing is left that can be done by now.
    pub(super) fn clean(&mut self, most: usize) -> Result<bool> {
        self.prefixes.clean(most)
    }

    /// Row of a group, or of none.
    fn group_row(&self, name: Option<&GroupName>) -> Result<u32> {
        let Some(name) = name else { return Ok(abi::Limit::NO_ROW) };
        let group = self.groups.get(name).ok_or_else(|| name.unknown())?;
        Ok(group.index)
    }

    /// Refuses what is new once the tables hold all that they were made for.
    fn check_room(&self, what: &str, count: usize) -> Result<()> {
        let capacity = self.capacity();
        if count <= capacity {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "setting {what}: the table has room for {capacity} limits, groups and limited links, and \
             these would be {count}"
        ))
        .hint(
            "delete a limit, or `export` the policy, `detach --all` and run that file with a larger \
             `--max-limits`",
        ))
    }

    /// How many limits, groups and limited links there are.
    fn count(&self) -> usize {
        self.limits.len() + self.groups.len() + self.links.len()
    }

    /// Writes a limit into a free slot, under the index that it had or under a new one.
    fn place(
        &mut self,
        what: &str,
        encoded: &mut abi::Limit,
        index: Option<u32>,
        counters: &mut CounterTable,
    ) -> Result<u32> {
        encoded.index = match index {
            Some(index) => index,
            None => self.rows.take_index(what, counters)?,
        };
        self.rows.write(what, encoded).inspect_err(|_| {
            let new = index.is_none().then_some(encoded.index);
            self.rows.restore(Vec::new(), new.into_iter().collect());
        })
    }

    /// Lets go of the slot of a limit whose successor is in force.
    fn replaced(&mut self, old: Option<(u32, u32)>) -> Change {
        let Some((slot, _)) = old else { return Change::Created };
        self.release_slot(slot);
        Change::Replaced
    }

    fn release(&mut self, slot: u32, index: u32) {
        self.release_slot(slot);
        self.rows.release_index(index);
    }

    fn release_slot(&mut self, slot: u32) {
        self.note_slot(slot, None);
        self.rows.release_slot(slot);
    }

    /// Notes which limit of a prefix is in a slot.
    fn note_slot(&mut self, slot: u32, limit: Option<&Limit>) {
        let keeps = limit.is_some_and(|limit| self.keeps_hosts(limit));
        self.key_of_slot[slot as usize] = limit.map(Limit::key);
        self.kept_slots[slot as usize].store(keeps, Ordering::Relaxed);
    }
}
