//! The host table. Nothing else knows how it is laid out.

use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};
use throttle_common::{
    abi::{Config, Host, HostSet},
    address::Address,
    host_table::{self, Choices, Sets},
};

/// Capacity set by the agent.
#[map]
static HOST_SETS: Array<HostSet> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Capacity set by the agent.
#[map]
static HOSTS: Array<Host> = Array::with_max_entries(1, BPF_F_MMAPABLE);

struct KernelSets;

impl Sets for KernelSets {
    #[inline(always)]
    fn set(&self, number: u32) -> Option<&HostSet> {
        HOST_SETS.get(number)
    }
}

/// The state of a host, or `None` when it is not in the table.
#[inline(always)]
pub(crate) fn get(config: &Config, address: Address) -> Option<&'static Host> {
    let tag = host_table::tag(address);
    HOSTS.get(host_table::find(&KernelSets, choices(config, tag), tag)?)
}

/// Adds a host; `None` when the table has no room for it.
#[inline(never)]
pub(crate) fn make(config: &Config, address: Address) -> Option<&'static Host> {
    let tag = host_table::tag(address);
    HOSTS.get(host_table::make(&KernelSets, choices(config, tag), tag)?)
}

#[inline(always)]
fn choices(config: &Config, tag: u64) -> Choices {
    Choices::new(tag, config.hash_seed, config.host_set_mask as u32)
}
