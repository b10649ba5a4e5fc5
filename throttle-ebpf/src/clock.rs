//! The kernel's monotonic clocks.

use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use throttle_common::{bucket::Clock, rate::TICKS_PER_NS};

/// CLOCK_MONOTONIC, as read by helpers.
pub(crate) struct KernelClock {
    coarse_ns: u64,
    zero: u64,
}

impl KernelClock {
    /// Reads the coarse clock, once per packet. `zero` is 0, which the verifier must not know.
    #[inline(always)]
    pub(crate) fn read(zero: u64) -> Self {
        // SAFETY: the helper takes no arguments and is open to every classifier.
        Self { coarse_ns: unsafe { bpf_ktime_get_coarse_ns() }, zero }
    }

    /// The coarse time, in nanoseconds.
    #[inline(always)]
    pub(crate) fn coarse_ns(&self) -> u64 {
        self.coarse_ns
    }
}

impl Clock for KernelClock {
    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        number.wrapping_add(self.zero)
    }

    #[inline(always)]
    fn coarse(&self) -> u64 {
        self.coarse_ns * TICKS_PER_NS
    }

    #[inline(always)]
    fn precise(&self) -> u64 {
        // SAFETY: the helper takes no arguments and is open to every classifier.
        unsafe { bpf_ktime_get_ns() * TICKS_PER_NS }
    }
}
