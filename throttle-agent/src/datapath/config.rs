//! The instance's configuration.

use std::{fs, io::Read};

use aya::maps::MapData;
use throttle_common::{
    abi::{Config, Policy},
    address::Mask,
    cell::AtomicWord,
    host_table::WAYS,
    rate::TICKS_PER_SECOND,
};

use super::mapped::Mapped;
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

/// Hosts that traffic may make at once, and per second, however small the table.
const LEAST_HOSTS: u64 = 1024;

/// Map `CONFIG`.
pub(super) struct ConfigMap {
    map: Mapped<Config>,
}

impl ConfigMap {
    /// Maps the configuration into memory.
    pub(super) fn new(map: &MapData) -> Result<Self> {
        let map = Mapped::new(map, "CONFIG")?;
        if map.entries().is_empty() {
            return Err(Error::failed("mapping map CONFIG into memory: it has no entry"));
        }
        Ok(Self { map })
    }

    /// Fills a new configuration; one that is in force stays.
    ///
    /// Traffic may fill half of the host table at once and an eighth per second, so that a flood of
    /// made-up addresses leaves time to notice those that were seen once.
    pub(super) fn initialise(
        &mut self,
        netns_cookie: u64,
        host_sets: u32,
        ipv6_host_prefix: u8,
    ) -> Result<()> {
        if self.policy().generation != 0 {
            return Ok(());
        }
        let mut seed = [0; 8];
        fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut seed))
            .doing(Kind::Failed, || "reading a seed from /dev/urandom")?;
        let ways = u64::from(host_sets) * u64::from(WAYS);
        let per_second = (ways / 8).max(LEAST_HOSTS);
        let config = &mut self.map.entries_mut()[0];
        config.hash_seed = u64::from_ne_bytes(seed);
        config.host_set_mask = u64::from(host_sets) - 1;
        config.ipv6_mask = Mask::from_prefix_len(ipv6_host_prefix.into());
        config.insert_cost_ticks = TICKS_PER_SECOND / per_second;
        config.insert_burst_ticks = (ways / 2).max(LEAST_HOSTS) * config.insert_cost_ticks;
        config.netns_cookie = netns_cookie;
        self.switch(Policy { generation: 0, bank: 0, has_peers: false });
        Ok(())
    }

    /// Records that the links now live in another network namespace.
    pub(super) fn set_netns_cookie(&mut self, netns_cookie: u64) {
        self.map.entries_mut()[0].netns_cookie = netns_cookie;
    }

    /// The configuration.
    pub(super) fn get(&self) -> &Config {
        &self.map.entries()[0]
    }

    /// Length of the IPv6 prefix that is one host.
    pub(super) fn ipv6_host_prefix(&self) -> u8 {
        // At most 128.
        self.get().ipv6_mask.prefix_len() as u8
    }

    /// The policy in force; its generation is 0 before the first.
    pub(super) fn policy(&self) -> Policy {
        Policy::from_word(self.get().policy.load())
    }

    /// Puts a policy in force, under the next generation: every host looks its limit up anew.
    pub(super) fn switch(&self, policy: Policy) {
        let generation = self.policy().next_generation();
        fault::after("preparing the next generation");
        self.get().policy.store(Policy { generation, ..policy }.to_word());
        fault::after("switching the generation");
    }
}
