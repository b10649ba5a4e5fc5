//! The instance's configuration.

use std::{fs, io::Read};

use aya::maps::MapData;
use throttle_common::{abi::Config, address::Mask, cell::AtomicWord};

use super::mapped::Mapped;
use crate::{
    error::{Error, Kind, Result, ResultExt},
    policy::IPV6_HOST_PREFIX_BITS,
};

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
    pub(super) fn initialise(&mut self, netns_cookie: u64, host_sets: u32) -> Result<()> {
        if self.generation() != 0 {
            return Ok(());
        }
        let mut seed = [0; 8];
        fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut seed))
            .doing(Kind::Failed, || "reading a seed from /dev/urandom")?;
        let config = &mut self.map.entries_mut()[0];
        config.hash_seed = u64::from_ne_bytes(seed);
        config.host_set_mask = u64::from(host_sets) - 1;
        config.ipv6_mask = Mask::from_prefix_len(IPV6_HOST_PREFIX_BITS.into());
        config.netns_cookie = netns_cookie;
        self.switch();
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

    /// Number of the policy in force; 0 before the first.
    pub(super) fn generation(&self) -> u32 {
        self.get().generation.load() as u32
    }

    /// Makes every host look its limit up anew.
    pub(super) fn switch(&self) {
        let next = self.generation().wrapping_add(1).max(1);
        self.get().generation.store(next.into());
    }
}
