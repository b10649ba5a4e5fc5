//! The instance's configuration in memory that the kernel reads directly.

use std::{fs, io, num::NonZeroUsize, os::fd::AsFd, ptr::NonNull};

use aya::maps::MapData;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use throttle_common::{abi::Config, address::Mask, cell::AtomicWord};

use crate::{
    error::{Kind, Result, ResultExt},
    policy::IPV6_HOST_PREFIX_BITS,
};

/// Map `CONFIG`, mapped into the agent.
pub(super) struct ConfigMap {
    config: NonNull<Config>,
    bytes: NonZeroUsize,
}

// SAFETY: the mapping belongs to this value alone and what changes in it is atomic.
unsafe impl Send for ConfigMap {}
// SAFETY: see above.
unsafe impl Sync for ConfigMap {}

impl ConfigMap {
    /// Maps the configuration into memory.
    pub(super) fn new(map: &MapData) -> Result<Self> {
        let bytes = NonZeroUsize::new(page_bytes()).unwrap_or(NonZeroUsize::MIN);
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping of one page, which is what the kernel gives to one entry.
        let page = unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, map.fd().as_fd(), 0) }
            .doing(Kind::Failed, || "mapping map CONFIG into memory")?;
        Ok(Self { config: page.cast(), bytes })
    }

    /// Fills a new configuration; one that is in force stays.
    pub(super) fn initialise(&mut self, netns_cookie: u64) -> Result<()> {
        if self.get().generation.load() != 0 {
            return Ok(());
        }
        let mut seed = [0; 8];
        fs::File::open("/dev/urandom")
            .and_then(|mut file| io::Read::read_exact(&mut file, &mut seed))
            .doing(Kind::Failed, || "reading a seed from /dev/urandom")?;
        // SAFETY: the mapping is valid and no program that reads it is attached yet.
        let config = unsafe { self.config.as_mut() };
        config.overflow_seed = u64::from_ne_bytes(seed);
        config.ipv6_mask = Mask::from_prefix_len(IPV6_HOST_PREFIX_BITS.into());
        config.netns_cookie = netns_cookie;
        self.switch();
        Ok(())
    }

    /// Records that the links now live in another network namespace.
    pub(super) fn set_netns_cookie(&mut self, netns_cookie: u64) {
        // SAFETY: the mapping is valid and no program reads this word.
        unsafe { (&raw mut (*self.config.as_ptr()).netns_cookie).write_volatile(netns_cookie) }
    }

    /// Cookie of the network namespace the links are in.
    pub(super) fn netns_cookie(&self) -> u64 {
        self.get().netns_cookie
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

    fn get(&self) -> &Config {
        // SAFETY: the mapping is valid as long as `self` and holds a `Config`, which takes any bytes.
        unsafe { self.config.as_ref() }
    }
}

impl Drop for ConfigMap {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and nothing refers to it any more. Failure leaves it
        // mapped, which harms nobody.
        let _ = unsafe { munmap(self.config.cast(), self.bytes.get()) };
    }
}

fn page_bytes() -> usize {
    // SAFETY: the call takes no pointers.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}
