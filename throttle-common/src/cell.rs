//! A 64-bit word that several processors, in the kernel and in the agent, change at once.

/// The atomic operations a bucket is built from.
pub trait AtomicWord {
    /// Reads the word.
    fn load(&self) -> u64;

    /// Replaces `current` by `new`; `Err` holds what was found instead.
    ///
    /// # Errors
    ///
    /// The word was not `current`.
    fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64>;

    /// Adds `value`, wrapping around.
    fn add(&self, value: u64);
}

pub use imp::{Cell, Half};

#[cfg(not(target_arch = "bpf"))]
mod imp {
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    /// A word in memory that the kernel and the agent share.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct Cell(AtomicU64);

    impl Cell {
        /// A word that holds `value`.
        #[must_use]
        pub const fn new(value: u64) -> Self {
            Self(AtomicU64::new(value))
        }

        /// Writes the word.
        pub fn store(&self, value: u64) {
            self.0.store(value, Ordering::Release);
        }
    }

    /// Half a word in memory that the kernel and the agent share.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct Half(AtomicU32);

    impl Half {
        /// Half a word that holds `value`.
        #[must_use]
        pub const fn new(value: u32) -> Self {
            Self(AtomicU32::new(value))
        }

        /// Reads it.
        #[must_use]
        pub fn load(&self) -> u32 {
            self.0.load(Ordering::Acquire)
        }

        /// Writes it.
        pub fn store(&self, value: u32) {
            self.0.store(value, Ordering::Release);
        }

        /// Replaces `current` by `new`; `false` when another processor was first.
        pub fn replace(&self, current: u32, new: u32) -> bool {
            self.0.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        }
    }

    impl super::AtomicWord for Cell {
        fn load(&self) -> u64 {
            self.0.load(Ordering::Acquire)
        }

        fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
            self.0.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst).map(drop)
        }

        fn add(&self, value: u64) {
            self.0.fetch_add(value, Ordering::SeqCst);
        }
    }
}

#[cfg(target_arch = "bpf")]
mod imp {
    use core::{
        cell::UnsafeCell,
        intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd},
    };

    /// A word in memory that the kernel and the agent share.
    #[repr(transparent)]
    pub struct Cell(UnsafeCell<u64>);

    // SAFETY: every access is one 64-bit load, store or atomic instruction.
    unsafe impl Sync for Cell {}

    impl Cell {
        /// Writes the word.
        #[inline(always)]
        pub fn store(&self, value: u64) {
            // SAFETY: `self` is valid and aligned; BPF stores 64 bits in one instruction.
            unsafe { self.0.get().write_volatile(value) }
        }
    }

    /// Half a word in memory that the kernel and the agent share.
    #[repr(transparent)]
    pub struct Half(UnsafeCell<u32>);

    // SAFETY: every access is one 32-bit load, store or atomic instruction.
    unsafe impl Sync for Half {}

    impl Half {
        /// Reads it.
        #[inline(always)]
        pub fn load(&self) -> u32 {
            // SAFETY: `self` is valid and aligned; BPF loads 32 bits in one instruction.
            unsafe { self.0.get().read_volatile() }
        }

        /// Writes it.
        #[inline(always)]
        pub fn store(&self, value: u32) {
            // SAFETY: `self` is valid and aligned; BPF stores 32 bits in one instruction.
            unsafe { self.0.get().write_volatile(value) }
        }

        /// Replaces `current` by `new`; `false` when another processor was first.
        #[inline(always)]
        pub fn replace(&self, current: u32, new: u32) -> bool {
            const ORDER: AtomicOrdering = AtomicOrdering::SeqCst;
            // SAFETY: `self` is valid and aligned.
            unsafe { atomic_cxchg::<_, ORDER, ORDER>(self.0.get(), current, new).1 }
        }
    }

    impl super::AtomicWord for Cell {
        #[inline(always)]
        fn load(&self) -> u64 {
            // SAFETY: `self` is valid and aligned; BPF loads 64 bits in one instruction.
            unsafe { self.0.get().read_volatile() }
        }

        #[inline(always)]
        fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
            const ORDER: AtomicOrdering = AtomicOrdering::SeqCst;
            // SAFETY: `self` is valid and aligned.
            match unsafe { atomic_cxchg::<_, ORDER, ORDER>(self.0.get(), current, new) } {
                (_, true) => Ok(()),
                (found, false) => Err(found),
            }
        }

        #[inline(always)]
        fn add(&self, value: u64) {
            // SAFETY: `self` is valid and aligned.
            unsafe { atomic_xadd::<_, _, { AtomicOrdering::Relaxed }>(self.0.get(), value) };
        }
    }
}
