//! What holds for the whole instance.

use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};
use throttle_common::abi::Config;

#[map]
static CONFIG: Array<Config> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The instance's configuration; always there.
#[inline(always)]
pub(crate) fn get() -> Option<&'static Config> {
    CONFIG.get(0)
}
