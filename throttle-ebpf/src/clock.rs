//! The kernel's monotonic clocks.

use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use throttle_common::{bucket::Clock, rate::TICKS_PER_NS};

/// CLOCK_MONOTONIC, as read by helpers.
pub(crate) struct KernelClock {
    coarse_ns: u64,
}

impl KernelClock {
    /// Reads the coarse clock, once per packet.
    #[inline(always)]
    pub(crate) fn read() -> Self {
        // SAFETY: the helper takes no arguments and is open to every classifier.
        Self { coarse_ns: unsafe { bpf_ktime_get_coarse_ns() } }
    }

    /// The coarse time, in nanoseconds.
    #[inline(always)]
    pub(crate) fn coarse_ns(&self) -> u64 {
        self.coarse_ns
    }
}

impl Clock for KernelClock {
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
