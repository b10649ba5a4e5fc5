//! The prefixes that lead to limits, in two banks: one in force, one in which the next policy is
//! filled in.

use std::{thread, time::Instant};

use aya::maps::{LpmTrie, MapData, MapError, lpm_trie::Key};
use ipnet::IpNet;
use throttle_common::abi::{PrefixKey, Role};

use super::pool::REST;
use crate::{
    datapath::{codec, pod::Raw, refusal::errno},
    error::{Kind, Result, ResultExt},
    fault,
    policy::{LimitKey, Match},
};

/// Map `PREFIXES`.
pub(super) struct Prefixes {
    map: LpmTrie<MapData, Raw<PrefixKey>, u32>,
    stale: Option<Stale>,
}

/// What is left of a policy that is not in force.
struct Stale {
    limits: Vec<LimitKey>,
    bank: u32,
    /// When no packet can be looking at them any more.
    usable: Instant,
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
        let doing = || format!("deleting the limit for {limit}");
        fault::before("removing a prefix").doing(Kind::Failed, doing)?;
        self.take_out(limit, bank)
    }

    /// Leaves the prefixes of a policy that is no longer in force to [`clean`](Self::clean).
    pub(super) fn retire(&mut self, limits: Vec<LimitKey>, bank: u32) {
        self.stale = Some(Stale { limits, bank, usable: Instant::now() + REST });
    }

    /// Removes the prefixes of a policy that never came into force, as far as they were filled in.
    pub(super) fn empty(&mut self, limits: Vec<LimitKey>, bank: u32) {
        self.stale = Some(Stale { limits, bank, usable: Instant::now() });
        if let Err(error) = self.empty_other_bank() {
            tracing::warn!("removing a policy that was refused: {error}; it is tried again");
        }
    }

    /// Removes what the policy before has left, once no packet can be looking at it: at most so many;
    /// `true` when nothing is left that can be removed by now.
    pub(super) fn clean(&mut self, most: usize) -> Result<bool> {
        if self.stale.as_ref().is_none_or(|stale| stale.usable > Instant::now()) {
            return Ok(true);
        }
        self.remove_stale(most)?;
        Ok(self.stale.is_none())
    }

    /// As [`clean`](Self::clean), waiting for it.
    pub(super) fn empty_other_bank(&mut self) -> Result<()> {
        let Some(stale) = &self.stale else { return Ok(()) };
        thread::sleep(stale.usable.saturating_duration_since(Instant::now()));
        self.remove_stale(usize::MAX)
    }

    /// Removes at most so many prefixes; what is refused stays to be removed.
    fn remove_stale(&mut self, most: usize) -> Result<()> {
        let Some(mut stale) = self.stale.take() else { return Ok(()) };
        let removed = (0..stale.limits.len().min(most)).try_for_each(|_| {
            let Some(limit) = stale.limits.last() else { return Ok(()) };
            fault::aside("removing a prefix of another policy")
                .doing(Kind::Failed, || format!("removing {limit} of the policy before"))?;
            self.take_out(limit, stale.bank)?;
            stale.limits.pop();
            Ok(())
        });
        self.stale = Some(stale).filter(|stale| !stale.limits.is_empty());
        removed
    }

    /// Removes a prefix from the map; it may be gone already.
    fn take_out(&mut self, limit: &LimitKey, bank: u32) -> Result<()> {
        match self.map.remove(&key(limit, bank)) {
            Err(error) if errno(&error) == Some(libc::ENOENT) => Ok(()),
            removed => removed.doing(Kind::Failed, || format!("deleting the limit for {limit}")),
        }
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
