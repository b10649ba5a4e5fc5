//! Reads and changes the policy in force.

use std::collections::BTreeMap;

use throttle_common::abi::{self, Link, Policy as Switch};

use super::{
    Datapath, clock,
    limits::{Next, limits_anything},
    prefix::single_host,
    state::{Applied, Change},
    upkeep::is_configured,
};
use crate::{
    error::{Error, Result},
    fault,
    policy::{Group, GroupName, Limit, LimitKey, LinkLimit, Match, Policy},
};

impl Datapath {
    /// Every limit, by prefix.
    pub fn each_limit(&self) -> impl ExactSizeIterator<Item = &Limit> {
        self.limits.iter().map(|entry| &entry.stated)
    }

    /// Every limit, by prefix, for keeping.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        self.each_limit().cloned().collect()
    }

    /// The limit of exactly this prefix.
    #[must_use]
    pub fn limit(&self, key: &LimitKey) -> Option<Limit> {
        self.limits.get(key).map(|entry| entry.stated.clone())
    }

    /// Puts a limit in force, in place of the one of the same prefix.
    ///
    /// Buckets keep their debt, cut to the new burst, and counters keep counting.
    ///
    /// # Errors
    /// The table is full, there is no such group, the burst lasts too long, or the kernel refuses;
    /// nothing changes then.
    pub fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        let bank = self.bank();
        let change = self.limits.set(limit, bank, &mut self.counters)?;
        if change != Change::Unchanged {
            self.make_room(std::slice::from_ref(limit));
            self.switch(bank);
            if limit.action.paces() {
                follow_up(self.check_pacing());
            }
        }
        Ok(change)
    }

    /// Takes a limit out of force; `false` when there is none of this prefix.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn delete_limit(&mut self, key: &LimitKey) -> Result<bool> {
        let bank = self.bank();
        let removed = self.limits.remove(key, bank)?;
        if removed {
            self.switch(bank);
        }
        Ok(removed)
    }

    /// Every group, by name.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.limits.groups().map(|entry| entry.stated.clone()).collect()
    }

    /// The group of this name.
    #[must_use]
    pub fn group(&self, name: &GroupName) -> Option<Group> {
        self.limits.group(name).map(|entry| entry.stated.clone())
    }

    /// Puts a group in force, in place of the one of the same name; its bucket keeps its debt, cut to
    /// the new burst.
    ///
    /// # Errors
    /// The table is full, or the burst lasts too long; nothing changes then.
    pub fn set_group(&mut self, group: &Group) -> Result<Change> {
        let bank = self.bank();
        self.limits.set_group(group, bank, &mut self.counters)
    }

    /// Takes a group out of force; `false` when there is none of this name.
    ///
    /// # Errors
    /// Limits are members of it.
    pub fn delete_group(&mut self, name: &GroupName) -> Result<bool> {
        let bank = self.bank();
        self.limits.remove_group(name, bank)
    }

    /// The limit of a whole link; `None` when the interface is not attached.
    #[must_use]
    pub fn link_limit(&self, interface: &str) -> Option<LinkLimit> {
        self.links.named(interface).map(|link| self.limit_of_link(&link))
    }

    pub(super) fn limit_of_link(&self, link: &Link) -> LinkLimit {
        let stated = self.limits.link(link.ifindex).map(|entry| entry.stated.clone());
        // It fits: it is written from a number of 16 bits.
        let overhead_bytes = link.overhead(self.bank()) as u16;
        LinkLimit { overhead_bytes, ..stated.unwrap_or_default() }
    }

    /// Puts the limit of a whole link in force, in place of the one it had.
    ///
    /// # Errors
    /// The interface is not attached, the table is full, or the burst lasts too long; nothing changes
    /// then.
    pub fn set_link_limit(&mut self, interface: &str, limit: &LinkLimit) -> Result<Change> {
        let link = self.links.named(interface).ok_or_else(|| not_attached(interface))?;
        let before = self.limit_of_link(&link);
        if before == *limit {
            return Ok(Change::Unchanged);
        }
        let (ifindex, overhead_bytes, bank) = (link.ifindex, limit.overhead_bytes, self.bank());
        if limits_anything(limit) {
            let row = self.limits.set_link(ifindex, limit, bank, &mut self.counters)?;
            self.links.set_limit(&link, row, overhead_bytes, bank).inspect_err(|_| {
                follow_up(self.limit_link_again(ifindex, &before));
            })?;
        } else {
            // Before the row is anybody else's.
            self.links.set_limit(&link, abi::Limit::NO_ROW, overhead_bytes, bank)?;
            self.limits.remove_link(ifindex, bank);
            follow_up(self.forget_rows_of_unlimited_links());
        }
        Ok(if before == LinkLimit::default() { Change::Created } else { Change::Replaced })
    }

    /// Gives a link, which names its row still, the limit that it had before.
    fn limit_link_again(&mut self, ifindex: u32, before: &LinkLimit) -> Result<()> {
        let bank = self.bank();
        if limits_anything(before) {
            return self.limits.set_link(ifindex, before, bank, &mut self.counters).map(drop);
        }
        self.limits.remove_link(ifindex, bank);
        self.forget_rows_of_unlimited_links()
    }

    /// Puts a whole policy in force at one instant: each packet sees the old policy or the new one.
    ///
    /// What stays as it is keeps its buckets and counters; so do limits that change, their debt cut
    /// to the new burst.
    ///
    /// # Errors
    /// A link is not attached, a group is missing, something is given twice, a table is full, or the
    /// kernel refuses; nothing changes then.
    pub fn apply(&mut self, policy: &Policy) -> Result<Applied> {
        let old_bank = self.bank();
        let bank = self.config.policy().other_bank();
        let mut links = BTreeMap::new();
        for (interface, limit) in &policy.links {
            let link = self.links.named(interface).ok_or_else(|| not_attached(interface))?;
            links.insert(link.ifindex, limit.clone());
        }
        let links_set = self.links_changed(&links);
        let next = self.prepare(policy, &links, bank)?;
        self.make_room(&policy.limits);
        let has_peers = policy.limits.iter().any(|limit| limit.matches == Match::Peer);
        self.config.switch(Switch { generation: 0, bank, has_peers });
        let applied = self.limits.commit(next, old_bank);
        fault::after("taking the policy over");
        follow_up(self.forget_rows_of_unlimited_links());
        follow_up(self.check_pacing());
        Ok(Applied { links_set, ..applied })
    }

    /// Fills a policy in under `bank`, which is not in force; links are given by interface index.
    fn prepare(
        &mut self,
        policy: &Policy,
        links: &BTreeMap<u32, LinkLimit>,
        bank: u32,
    ) -> Result<Next> {
        let Policy { limits, groups, .. } = policy;
        let prepared = self.limits.prepare(limits, groups, links, bank, &mut self.counters);
        let prepared = prepared.and_then(|next| match self.name_rows(&next, links, bank) {
            Ok(()) => Ok(next),
            Err(error) => {
                self.limits.abandon(next, bank);
                Err(error)
            }
        });
        if prepared.is_err() {
            follow_up(self.forget_rows_of_unlimited_links());
        }
        prepared
    }

    /// Has links name the rows that they have under a policy that is about to come into force.
    fn name_rows(
        &mut self,
        next: &Next,
        links: &BTreeMap<u32, LinkLimit>,
        bank: u32,
    ) -> Result<()> {
        for link in self.links.iter().copied().collect::<Vec<_>>() {
            let overhead = links.get(&link.ifindex).map_or(0, |limit| limit.overhead_bytes);
            // The policy in force may still need the row that it has.
            let row = next.link_row(link.ifindex).unwrap_or(link.common);
            if row != link.common || link.overhead(bank) != u32::from(overhead) {
                self.links.set_limit(&link, row, overhead, bank)?;
            }
        }
        Ok(())
    }

    /// Takes their rows from links that are not limited, and frees them for others. A row that cannot be taken is
    /// nobody's until this is done again.
    pub(super) fn forget_rows_of_unlimited_links(&mut self) -> Result<()> {
        let bank = self.bank();
        let mut done = Ok(());
        for link in self.links.iter().copied().collect::<Vec<_>>() {
            if self.limits.link(link.ifindex).is_none() && link.common != abi::Limit::NO_ROW {
                let overhead_bytes = link.overhead(bank) as u16;
                let row = abi::Limit::NO_ROW;
                done = done.and(self.links.set_limit(&link, row, overhead_bytes, bank));
            }
        }
        let named: Vec<_> = self.links.iter().map(|link| link.common).collect();
        self.limits.free_left_rows(&named);
        done
    }

    /// How many links a policy changes.
    fn links_changed(&self, links: &BTreeMap<u32, LinkLimit>) -> usize {
        let changed = |link: &&Link| {
            let name = self.links.status(link, false).interface.unwrap_or_default();
            let before = self.link_limit(&name).unwrap_or_default();
            before != links.get(&link.ifindex).cloned().unwrap_or_default()
        };
        self.links.iter().filter(changed).count()
    }

    /// Makes the hosts that have limits of their own, so that a full table cannot keep them out.
    pub(super) fn make_room(&mut self, limits: &[Limit]) {
        let bits = self.ipv6_host_prefix();
        let hosts = limits.iter().filter(|limit| limit.matches == Match::Host);
        let hosts = hosts.filter_map(|limit| single_host(&limit.prefix, bits));
        let known = &self.limits;
        let may_go = |other| !is_configured(known, other, bits);
        // Without a clock, which host has been idle longest is a guess.
        let now_ns = clock::monotonic_ns().unwrap_or_default();
        let left_out = self.hosts.insert(hosts, may_go, now_ns);
        if let Some(host) = left_out.first() {
            let count = left_out.len();
            tracing::warn!(
                %host,
                count,
                "hosts with limits of their own find the host table full of such hosts"
            );
        }
    }

    /// Number of the policy in force.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.config.policy().generation
    }

    /// Bank of the policy in force.
    pub(super) fn bank(&self) -> u32 {
        self.config.policy().bank
    }

    /// Makes every host look its limit up anew.
    pub(super) fn switch(&self, bank: u32) {
        let has_peers = self.limits.has_peers();
        self.config.switch(Switch { generation: 0, bank, has_peers });
    }
}

/// A change is in force or refused by now: what fails after it decides nothing, and is tried again by
/// [`tidy`](Datapath::tidy) where it matters.
fn follow_up(done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!("tidying up after a change of the policy: {error}");
    }
}

fn not_attached(interface: &str) -> Error {
    Error::not_found(format_args!("interface {interface} is not attached"))
        .hint("`throttle-agent status` shows those that are")
}
