//! Maps that the agent reads and writes directly, through memory it shares with the kernel.

use std::{num::NonZeroUsize, os::fd::AsFd, ptr::NonNull, slice};

use aya::maps::MapData;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use throttle_common::abi::{CommonBuckets, Config, EventBudget, Host, HostName, HostSet, Limit};

use crate::error::{Error, Kind, Result, ResultExt};

/// A structure of atomic words.
///
/// # Safety
///
/// Every bit pattern is a value of the type, and what changes while it is shared is a
/// [`Cell`](throttle_common::cell::Cell).
pub(super) unsafe trait Shared {}

// SAFETY: made of integers; what changes in it once programs run is a cell.
unsafe impl Shared for Config {}
// SAFETY: made of cells.
unsafe impl Shared for HostSet {}
// SAFETY: made of cells.
unsafe impl Shared for Host {}
// SAFETY: made of cells.
unsafe impl Shared for HostName {}
// SAFETY: made of cells, and of words that nobody writes.
unsafe impl Shared for CommonBuckets {}
// SAFETY: made of cells, and of words that nobody writes.
unsafe impl Shared for EventBudget {}
// SAFETY: made of integers; one is only written while no program reads it.
unsafe impl Shared for Limit {}

/// The entries of an array map.
pub(super) struct Mapped<T> {
    entries: NonNull<T>,
    count: usize,
    bytes: NonZeroUsize,
}

// SAFETY: the mapping belongs to this value alone, and its contents are shared by their nature.
unsafe impl<T: Shared> Send for Mapped<T> {}
// SAFETY: see above.
unsafe impl<T: Shared> Sync for Mapped<T> {}

impl<T: Shared> Mapped<T> {
    /// Maps an array whose values are `T`s into memory.
    pub(super) fn new(map: &MapData, name: &str) -> Result<Self> {
        let doing = || format!("mapping map {name} into memory");
        let info = map.info().doing(Kind::Failed, doing)?;
        if info.value_size() as usize != size_of::<T>() {
            return Err(Error::failed(format!(
                "{}: its values have {} bytes",
                doing(),
                info.value_size()
            )));
        }
        let count = info.max_entries() as usize;
        let bytes = NonZeroUsize::new(count * size_of::<T>()).unwrap_or(NonZeroUsize::MIN);
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping of the map's whole contents.
        let memory =
            unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, map.fd().as_fd(), 0) }
                .doing(Kind::Failed, doing)?;
        Ok(Self { entries: memory.cast(), count, bytes })
    }

    /// The entries.
    pub(super) fn entries(&self) -> &[T] {
        // SAFETY: the mapping holds `count` entries as long as `self`, and any bytes are a `T`.
        unsafe { slice::from_raw_parts(self.entries.as_ptr(), self.count) }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A copy of one entry.
    pub(super) fn read(&self, index: usize) -> Option<T>
    where
        T: Copy,
    {
        self.entries().get(index).copied()
    }

    /// Writes one entry that no program reads at this time.
    pub(super) fn write(&mut self, index: usize, value: &T)
    where
        T: Copy,
    {
        if let Some(entry) = self.entries_mut().get_mut(index) {
            *entry = *value;
        }
    }

    /// The entries, before any program uses them.
    pub(super) fn entries_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; the caller has the only reference on this side.
        unsafe { slice::from_raw_parts_mut(self.entries.as_ptr(), self.count) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and nothing refers to it any more. Failure leaves it
        // mapped, which harms nobody.
        let _ = unsafe { munmap(self.entries.cast(), self.bytes.get()) };
    }
}
