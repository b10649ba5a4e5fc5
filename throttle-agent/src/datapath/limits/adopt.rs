//! Reads the policy that an earlier agent has left in force.

use std::{collections::BTreeMap, sync::atomic::AtomicBool};

use aya::maps::{LpmTrie, MapData};
use throttle_common::abi::{self, CommonBuckets, Direction, Link, PrefixKey};

use super::{Entry, LimitTable, Prefixes, Rows, Special};
use crate::{
    datapath::{codec, mapped::Mapped, pod::Raw},
    error::Result,
};

impl LimitTable {
    /// Reads what is in force in `bank`.
    pub(in crate::datapath) fn adopt<'a>(
        prefixes: LpmTrie<MapData, Raw<PrefixKey>, u32>,
        limits: Mapped<abi::Limit>,
        common: Mapped<CommonBuckets>,
        links: impl Iterator<Item = &'a Link>,
        bank: u32,
        ipv6_host_prefix: u8,
    ) -> Result<Self> {
        let key_of_slot = vec![None; limits.len()];
        let kept_slots = limits.entries().iter().map(|_| AtomicBool::new(false)).collect();
        let mut table = Self {
            prefixes: Prefixes::new(prefixes),
            rows: Rows::new(limits, common),
            limits: BTreeMap::new(),
            groups: BTreeMap::new(),
            links: BTreeMap::new(),
            left_rows: Vec::new(),
            key_of_slot,
            kept_slots,
            ipv6_host_prefix,
            special: Special::default(),
        };
        table.adopt_groups(bank)?;
        table.adopt_limits(bank)?;
        table.special = Special::of(table.iter().map(|entry| &entry.stated));
        table.adopt_links(links, bank)?;
        let of_limits = table.limits.values().map(|entry| (entry.slot, entry.index));
        let of_groups = table.groups.values().map(|entry| (entry.slot, entry.index));
        let of_links = table.links.values().map(|entry| (entry.slot, entry.index));
        let in_use: Vec<_> = of_limits.chain(of_groups).chain(of_links).collect();
        table.rows.adopt(&in_use);
        Ok(table)
    }

    fn adopt_groups(&mut self, bank: u32) -> Result<()> {
        let other = 1 - bank;
        for index in self.rows.indices() {
            let Some(common) = self.rows.common(index) else { continue };
            let slot = common.direction(Direction::Up).slot(bank);
            self.rows.point(index, other, abi::Limit::UNLIMITED_SLOT);
            let encoded = self.rows.limit(slot)?;
            if encoded.has(abi::Limit::GROUP) {
                let group = codec::decode_group(&encoded)?;
                self.groups.insert(group.name.clone(), Entry::new(group, &encoded, slot));
            }
        }
        Ok(())
    }

    fn adopt_limits(&mut self, bank: u32) -> Result<()> {
        let names: BTreeMap<_, _> =
            self.groups.values().map(|entry| (entry.index, entry.stated.name.clone())).collect();
        for slot in self.prefixes.adopt(bank)? {
            let encoded = self.rows.limit(slot)?;
            let limit = codec::decode(&encoded, names.get(&encoded.group).cloned())?;
            let key = limit.key();
            self.note_slot(slot, Some(&limit));
            self.limits.insert(key, Entry::new(limit, &encoded, slot));
        }
        Ok(())
    }

    fn adopt_links<'a>(&mut self, links: impl Iterator<Item = &'a Link>, bank: u32) -> Result<()> {
        for link in links {
            let Some(common) = self.rows.common(link.common) else { continue };
            let slot = common.direction(Direction::Up).slot(bank);
            if slot == abi::Limit::UNLIMITED_SLOT {
                continue;
            }
            let encoded = self.rows.limit(slot)?;
            let limit = codec::decode_link(&encoded, link.overhead(bank))?;
            self.links.insert(link.ifindex, Entry::new(limit, &encoded, slot));
        }
        Ok(())
    }
}
