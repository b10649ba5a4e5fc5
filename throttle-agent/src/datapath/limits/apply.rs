//! Fills in a whole policy beside the one in force, which then takes its place at one instant.

use std::collections::BTreeMap;

use throttle_common::abi;

use super::{Entry, LimitTable, Special, limits_anything};
use crate::{
    datapath::{codec, counters::CounterTable, state::Applied},
    error::{Error, Result},
    fault,
    policy::{Group, GroupName, Limit, LimitKey, LinkLimit},
};

/// A policy that is filled in and not yet in force.
pub(in crate::datapath) struct Next {
    limits: BTreeMap<LimitKey, Entry<Limit>>,
    groups: BTreeMap<GroupName, Entry<Group>>,
    links: BTreeMap<u32, Entry<LinkLimit>>,
    /// What was taken for it, and goes back should it fail.
    slots: Vec<u32>,
    indices: Vec<u32>,
    applied: Applied,
}

impl Next {
    /// Row of the link on an interface, if it is limited.
    pub(in crate::datapath) fn link_row(&self, ifindex: u32) -> Option<u32> {
        self.links.get(&ifindex).map(|entry| entry.index)
    }
}

impl LimitTable {
    /// Fills a policy in under `bank`, which is not in force. Links are given by interface index.
    ///
    /// # Errors
    /// A table is full, a group is missing or a prefix is given twice; nothing changes then.
    pub(in crate::datapath) fn prepare(
        &mut self,
        limits: &[Limit],
        groups: &[Group],
        links: &BTreeMap<u32, LinkLimit>,
        bank: u32,
        counters: &mut CounterTable,
    ) -> Result<Next> {
        let limited = links.values().filter(|limit| limits_anything(limit)).count();
        self.check_room("a policy", limits.len() + groups.len() + limited)?;
        self.prefixes.empty_other_bank()?;
        let mut next = Next {
            limits: BTreeMap::new(),
            groups: BTreeMap::new(),
            links: BTreeMap::new(),
            slots: Vec::new(),
            indices: Vec::new(),
            applied: Applied::default(),
        };
        let filled = self
            .prepare_groups(groups, &mut next, counters)
            .and_then(|()| self.prepare_links(links, &mut next, counters))
            .and_then(|()| self.prepare_limits(limits, &mut next, counters))
            .and_then(|()| self.fill(&next, bank));
        match filled {
            Ok(()) => Ok(next),
            Err(error) => {
                self.abandon(next, bank);
                Err(error)
            }
        }
    }

    /// Takes over a policy that has just come into force; `old_bank` was in force before.
    pub(in crate::datapath) fn commit(&mut self, next: Next, old_bank: u32) -> Applied {
        let mut applied = next.applied;
        for entry in next.limits.values() {
            self.note_slot(entry.slot, Some(&entry.stated));
        }
        let limits = std::mem::replace(&mut self.limits, next.limits);
        self.special = Special::of(self.limits.values().map(|entry| &entry.stated));
        let groups = std::mem::replace(&mut self.groups, next.groups);
        let links = std::mem::replace(&mut self.links, next.links);
        self.prefixes.retire(limits.keys().copied().collect(), old_bank);
        for (key, old) in limits {
            let now = self.limits.get(&key).map(|entry| (entry.slot, entry.index));
            applied.limits_deleted += usize::from(now.is_none());
            self.let_go((old.slot, old.index), now);
        }
        for (name, old) in groups {
            let now = self.groups.get(&name).map(|entry| (entry.slot, entry.index));
            applied.groups_deleted += usize::from(now.is_none());
            self.let_go((old.slot, old.index), now);
        }
        for (ifindex, old) in links {
            match self.links.get(&ifindex).map(|entry| (entry.slot, entry.index)) {
                None => self.leave(&old),
                now => self.let_go((old.slot, old.index), now),
            }
        }
        applied
    }

    fn prepare_groups(
        &mut self,
        groups: &[Group],
        next: &mut Next,
        counters: &mut CounterTable,
    ) -> Result<()> {
        for group in groups {
            let known = self.groups.get(&group.name);
            let known = known.map(|known| (known.stated == *group, known.slot, known.index));
            let mut encoded = codec::encode_group(group)?;
            let what = format!("group {}", group.name);
            let slot = self.reuse(&what, known, &mut encoded, next, counters)?;
            next.applied.groups_set += usize::from(!is_unchanged(known));
            let entry = Entry::new(group.clone(), &encoded, slot);
            if next.groups.insert(group.name.clone(), entry).is_some() {
                return Err(given_twice(&what));
            }
        }
        Ok(())
    }

    fn prepare_links(
        &mut self,
        links: &BTreeMap<u32, LinkLimit>,
        next: &mut Next,
        counters: &mut CounterTable,
    ) -> Result<()> {
        for (&ifindex, limit) in links.iter().filter(|(_, limit)| limits_anything(limit)) {
            let known = self.links.get(&ifindex);
            let known = known.map(|known| (known.stated == *limit, known.slot, known.index));
            let mut encoded = codec::encode_link(limit)?;
            let slot = self.reuse("the limit of a link", known, &mut encoded, next, counters)?;
            next.links.insert(ifindex, Entry::new(limit.clone(), &encoded, slot));
        }
        Ok(())
    }

    fn prepare_limits(
        &mut self,
        limits: &[Limit],
        next: &mut Next,
        counters: &mut CounterTable,
    ) -> Result<()> {
        for limit in limits {
            let key = limit.key();
            let group = match &limit.group {
                None => abi::Limit::NO_ROW,
                Some(name) => next.groups.get(name).ok_or_else(|| name.unknown())?.index,
            };
            let known = self.limits.get(&key);
            // A group that was deleted and made anew has another row.
            let known = known.map(|known| {
                let row = |groups: &BTreeMap<GroupName, Entry<Group>>| {
                    Some(groups.get(limit.group.as_ref()?)?.index)
                };
                let is_same = known.stated == *limit && row(&self.groups) == row(&next.groups);
                (is_same, known.slot, known.index)
            });
            let mut encoded = codec::encode(limit, group)?;
            let what = format!("the limit for {key}");
            let slot = self.reuse(&what, known, &mut encoded, next, counters)?;
            next.applied.limits_set += usize::from(!is_unchanged(known));
            if next.limits.insert(key, Entry::new(limit.clone(), &encoded, slot)).is_some() {
                return Err(given_twice(&what));
            }
        }
        Ok(())
    }

    /// The slot of a limit that stays as it is, or else a new one under the same index.
    fn reuse(
        &mut self,
        what: &str,
        known: Option<(bool, u32, u32)>,
        encoded: &mut abi::Limit,
        next: &mut Next,
        counters: &mut CounterTable,
    ) -> Result<u32> {
        if let Some((true, slot, index)) = known {
            encoded.index = index;
            return Ok(slot);
        }
        let index = known.map(|(_, _, index)| index);
        let slot = self.place(what, encoded, index, counters)?;
        next.slots.push(slot);
        if index.is_none() {
            next.indices.push(encoded.index);
        }
        Ok(slot)
    }

    /// Points every prefix, group and link of the policy at its limit, and the others at none.
    fn fill(&mut self, next: &Next, bank: u32) -> Result<()> {
        // Not those in force alone: groups and links that the policy before has dropped still point
        // at the limits that they had when this bank was last in force.
        for index in self.rows.indices() {
            self.rows.point(index, bank, abi::Limit::UNLIMITED_SLOT);
        }
        for entry in next.groups.values() {
            self.rows.point(entry.index, bank, entry.slot);
        }
        for entry in next.links.values() {
            self.rows.point(entry.index, bank, entry.slot);
        }
        fault::after("pointing groups and links at their limits");
        for (key, entry) in &next.limits {
            self.prefixes.insert(key, bank, entry.slot)?;
        }
        Ok(())
    }

    /// Undoes [`prepare`](Self::prepare). Links may name rows of the policy by now.
    pub(in crate::datapath) fn abandon(&mut self, next: Next, bank: u32) {
        let Next { limits, groups, links, slots, mut indices, .. } = next;
        let of_groups = groups.values().map(|entry| entry.index);
        for index in of_groups.chain(links.values().map(|entry| entry.index)) {
            self.rows.point(index, bank, abi::Limit::UNLIMITED_SLOT);
        }
        let of_links: Vec<_> = links.values().map(|entry| entry.index).collect();
        self.left_rows.extend(indices.extract_if(.., |index| of_links.contains(index)));
        self.rows.restore(slots, indices);
        self.prefixes.empty(limits.into_keys().collect(), bank);
    }

    /// Lets go of what the policy before had and the one in force has not.
    fn let_go(&mut self, (slot, index): (u32, u32), now: Option<(u32, u32)>) {
        match now {
            Some((now, _)) if now == slot => {}
            Some(_) => self.release_slot(slot),
            None => self.release(slot, index),
        }
    }
}

fn is_unchanged(known: Option<(bool, u32, u32)>) -> bool {
    known.is_some_and(|(is_same, ..)| is_same)
}

fn given_twice(what: &str) -> Error {
    Error::usage(format_args!("{what} is given twice: give it once"))
}
