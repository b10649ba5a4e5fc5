//! The prefixes that lead to limits, in two banks: one in force, one in which the next policy is
//! filled in.

use std::{thread, time::Instant};

use aya::maps::{LpmTrie, MapData, MapError, lpm_trie::Key};
use ipnet::IpNet;
use throttle_common::abi::{PrefixKey, Role};

use super::pool::REST;
use crate::{
    datapath::{codec, pod::Raw},
    error::{Kind, Result, ResultExt},
    fault,
    policy::{LimitKey, Match},
};

/// Map `PREFIXES`.
pub(super) struct Prefixes {
    map: LpmTrie<MapData, Raw<PrefixKey>, u32>,
    /// What is left of the policy before, its bank, and from when on no packet looks at it.
    stale: Option<(Vec<LimitKey>, u32, Instant)>,
}

impl Prefixes {
    pub(super) fn new(map: LpmTrie<MapData, Raw<PrefixKey>, u32>) -> Self {
        Self { map, stale: None }
    }

    /// Slots that the prefixes of `bank` lead to. Those of the other bank, which an earlier agent has
    /// not come round to, are removed.
    pub(super) fn adopt(&mut self, bank: u32) -> Result<Vec<u32>> {
        let doing = || "reading map PREFIXES";
        let found: Vec<_> =
            self.map.iter().collect::<Result<_, MapError>>().doing(Kind::Failed, doing)?;
        let mut slots = Vec::new();
        for (key, slot) in found {
            let Raw(prefix) = key.data();
            if prefix.bank() == bank {
                slots.push(slot);
            } else {
                self.map.remove(&key).doing(Kind::Failed, doing)?;
            }
        }
        Ok(slots)
    }

    /// Points a prefix at a slot, in one step.
    pub(super) fn insert(&mut self, limit: &LimitKey, bank: u32, slot: u32) -> Result<()> {
        let doing = || format!("setting the limit for {limit}");
        fault::before("pointing a prefix at its limit").doing(Kind::Failed, doing)?;
        self.map.insert(&key(limit, bank), slot, 0).doing(Kind::Failed, doing)
    }

    /// Removes a prefix.
    pub(super) fn remove(&mut self, limit: &LimitKey, bank: u32) -> Result<()> {
        self.map
            .remove(&key(limit, bank))
            .doing(Kind::Failed, || format!("deleting the limit for {limit}"))
    }

    /// Leaves the prefixes of a policy that is no longer in force to [`clean`](Self::clean).
    pub(super) fn retire(&mut self, limits: Vec<LimitKey>, bank: u32) {
        self.stale = Some((limits, bank, Instant::now() + REST));
    }

    /// Removes what the policy before has left, once no packet can be looking at it: at most so many;
    /// `true` when nothing is left that can be removed by now.
    pub(super) fn clean(&mut self, most: usize) -> Result<bool> {
        let Some((limits, bank, usable)) = &mut self.stale else { return Ok(true) };
        if *usable > Instant::now() {
            return Ok(true);
        }
        let (part, bank) = (limits.split_off(limits.len().saturating_sub(most)), *bank);
        let is_last = limits.is_empty();
        if is_last {
            self.stale = None;
        }
        part.iter().try_for_each(|limit| self.remove(limit, bank))?;
        Ok(is_last)
    }

    /// As [`clean`](Self::clean), waiting for it.
    pub(super) fn empty_other_bank(&mut self) -> Result<()> {
        let Some((limits, bank, usable)) = self.stale.take() else { return Ok(()) };
        thread::sleep(usable.saturating_duration_since(Instant::now()));
        limits.iter().try_for_each(|limit| self.remove(limit, bank))
    }
}

fn key(limit: &LimitKey, bank: u32) -> Key<Raw<PrefixKey>> {
    let (address, bits) = codec::encode_prefix(&limit.prefix);
    let is_ipv4 = match limit.prefix {
        IpNet::V4(_) => true,
        IpNet::V6(_) => false,
    };
    let role = match limit.matches {
        Match::Host => Role::Host,
        Match::Peer => Role::Peer,
    };
    let (key, bits) = PrefixKey::of_prefix(is_ipv4, address, bits, role, bank);
    Key::new(bits, Raw(key))
}
