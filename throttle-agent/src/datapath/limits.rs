//! The limits in force: prefixes, slots and the indices of their counters.
//!
//! A limit that packets may be using is never written. A change fills a free slot, points the prefix
//! at it in one step and then switches the generation, so that each packet sees the old limit or the
//! new one. The old slot rests before it is used again, until no packet can still hold it.

use std::{
    collections::{BTreeMap, VecDeque},
    thread,
    time::{Duration, Instant},
};

use aya::maps::{Array, LpmTrie, MapData, lpm_trie::Key};
use ipnet::IpNet;
use throttle_common::abi::{self, PrefixKey};

use super::{codec, pod::Raw};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    policy::Limit,
};

/// How long a slot rests: far longer than a packet stays in the program.
const REST: Duration = Duration::from_secs(1);

/// One limit in force.
struct Entry {
    limit: Limit,
    slot: u32,
    index: u32,
}

/// Maps `PREFIXES` and `LIMITS`, and what the agent knows about them.
pub(super) struct LimitTable {
    prefixes: LpmTrie<MapData, Raw<PrefixKey>, u32>,
    limits: Array<MapData, Raw<abi::Limit>>,
    capacity: u32,
    entries: BTreeMap<IpNet, Entry>,
    prefix_of_slot: BTreeMap<u32, IpNet>,
    /// Slots and the time from which each may be used, earliest first.
    free_slots: VecDeque<(u32, Instant)>,
    free_indices: VecDeque<u32>,
}

impl LimitTable {
    /// Reads the limits that are in force.
    pub(super) fn adopt(
        prefixes: LpmTrie<MapData, Raw<PrefixKey>, u32>,
        limits: Array<MapData, Raw<abi::Limit>>,
        capacity: u32,
        slots: u32,
    ) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for found in prefixes.iter() {
            let (_, slot) = found.doing(Kind::Failed, || "reading map PREFIXES")?;
            let Raw(raw) = limits
                .get(&slot, 0)
                .doing(Kind::Failed, || format!("reading slot {slot} of map LIMITS"))?;
            let limit = codec::decode(&raw)?;
            entries.insert(limit.prefix, Entry { limit, slot, index: raw.index });
        }
        let prefix_of_slot: BTreeMap<u32, IpNet> =
            entries.values().map(|entry| (entry.slot, entry.limit.prefix)).collect();
        let usable = Instant::now() + if entries.is_empty() { Duration::ZERO } else { REST };
        let used: std::collections::BTreeSet<u32> =
            entries.values().map(|entry| entry.index).collect();
        Ok(Self {
            free_slots: (0..slots)
                .filter(|slot| !prefix_of_slot.contains_key(slot))
                .map(|slot| (slot, usable))
                .collect(),
            free_indices: (0..capacity).filter(|index| !used.contains(index)).collect(),
            prefixes,
            limits,
            capacity,
            entries,
            prefix_of_slot,
        })
    }

    /// Every limit, by prefix.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Limit, u32)> {
        self.entries.values().map(|entry| (&entry.limit, entry.index))
    }

    /// The limit of exactly this prefix, with the index of its counters.
    pub(super) fn get(&self, prefix: &IpNet) -> Option<(&Limit, u32)> {
        self.entries.get(prefix).map(|entry| (&entry.limit, entry.index))
    }

    /// The limit in a slot.
    pub(super) fn in_slot(&self, slot: u32) -> Option<(&Limit, u32)> {
        self.get(self.prefix_of_slot.get(&slot)?)
    }

    /// The limit whose prefix is the longest to hold a host.
    pub(super) fn longest(&self, host: IpNet) -> Option<(&Limit, u32)> {
        std::iter::successors(Some(host), IpNet::supernet).find_map(|prefix| self.get(&prefix))
    }

    /// Index that a new limit would be counted under.
    pub(super) fn index_for(&self, prefix: &IpNet) -> Result<u32> {
        let known = self.entries.get(prefix).map(|entry| entry.index);
        known.or_else(|| self.free_indices.front().copied()).ok_or_else(|| {
            Error::failed(format!(
                "setting a limit for {prefix}: the table holds {} limits and is full",
                self.capacity
            ))
            .hint("delete a limit, or `detach --all` and run with a larger `--max-limits`")
        })
    }

    /// Writes a limit and points its prefix at it.
    ///
    /// The caller switches the generation afterwards: hosts that are bound keep their limit until then.
    pub(super) fn write(&mut self, limit: &Limit) -> Result<()> {
        let prefix = limit.prefix;
        let doing = || format!("setting the limit for {prefix}");
        let index = self.index_for(&prefix)?;
        let encoded = codec::encode(limit, index)?;
        let slot = self.free_slot()?;
        self.limits.set(slot, Raw(encoded), 0).doing(Kind::Failed, doing)?;
        self.prefixes.insert(&key(&prefix), slot, 0).doing(Kind::Failed, doing)?;
        self.free_slots.pop_front();
        self.free_indices.retain(|&free| free != index);
        let entry = Entry { limit: limit.clone(), slot, index };
        if let Some(old) = self.entries.insert(prefix, entry) {
            self.release(old.slot);
        }
        self.prefix_of_slot.insert(slot, prefix);
        Ok(())
    }

    /// Removes a limit; `false` when there is none.
    ///
    /// The caller switches the generation afterwards.
    pub(super) fn remove(&mut self, prefix: &IpNet) -> Result<bool> {
        if !self.entries.contains_key(prefix) {
            return Ok(false);
        }
        self.prefixes
            .remove(&key(prefix))
            .doing(Kind::Failed, || format!("deleting the limit for {prefix}"))?;
        if let Some(old) = self.entries.remove(prefix) {
            self.release(old.slot);
            self.free_indices.push_back(old.index);
        }
        Ok(true)
    }

    /// The slot that has rested longest, waiting for it if need be.
    fn free_slot(&self) -> Result<u32> {
        let (slot, usable) = *self
            .free_slots
            .front()
            .ok_or_else(|| Error::failed("setting a limit: no slot is free in map LIMITS"))?;
        thread::sleep(usable.saturating_duration_since(Instant::now()));
        Ok(slot)
    }

    fn release(&mut self, slot: u32) {
        self.prefix_of_slot.remove(&slot);
        self.free_slots.push_back((slot, Instant::now() + REST));
    }
}

fn key(prefix: &IpNet) -> Key<Raw<PrefixKey>> {
    let (address, bits) = codec::encode_prefix(prefix);
    let is_ipv4 = match prefix {
        IpNet::V4(_) => true,
        IpNet::V6(_) => false,
    };
    let (key, bits) = PrefixKey::of_prefix(is_ipv4, address, bits);
    Key::new(bits, Raw(key))
}
