//! The host table. Nothing else knows how it is laid out.

use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};
use throttle_common::{
    abi::{Budget, Config, Host, HostName, HostSet},
    address::Address,
    bucket::{self, Clock},
    cell::AtomicWord,
    host_table::{self, Choices, Sets},
};

use super::config;
use crate::clock::KernelClock;

/// Capacity set by the agent.
#[map]
static HOST_SETS: Array<HostSet> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Capacity set by the agent.
#[map]
static HOSTS: Array<Host> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Capacity set by the agent.
#[map]
static HOST_NAMES: Array<HostName> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
static BUDGET: Array<Budget> = Array::with_max_entries(1, 0);

struct KernelSets;

impl Sets for KernelSets {
    #[inline(always)]
    fn set(&self, number: u32) -> Option<&HostSet> {
        HOST_SETS.get(number)
    }
}

/// The state of the host that has a way.
#[inline(always)]
pub(crate) fn in_way(way: u32) -> Option<&'static Host> {
    HOSTS.get(way)
}

/// The way of a host, or `None` when it is not in the table.
#[inline(always)]
pub(crate) fn find(config: &Config, address: Address) -> Option<u32> {
    let tag = host_table::tag(address, config.hash_seed);
    host_table::find(&KernelSets, choices(config, tag), tag)
}

/// No way: what [`make`] answers when there is no room.
pub(crate) const NO_WAY: u32 = u32::MAX;

/// Adds a host that traffic makes; [`NO_WAY`] when the table has no room for it, or the budget is
/// spent.
#[inline(always)]
pub(crate) fn make(address: Address) -> u32 {
    let (high, low) = address.words();
    throttle_make_host(high, low)
}

/// [`make`] as a global function: the verifier goes through it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_make_host(high: u64, low: u64) -> u32 {
    let address = Address::from_words(high, low);
    let (Some(config), Some(budget)) = (config::get(), BUDGET.get(0)) else { return NO_WAY };
    if !affords(config, budget) {
        return NO_WAY;
    }
    let tag = host_table::tag(address, config.hash_seed);
    let Some(way) = host_table::make(&KernelSets, choices(config, tag), tag) else {
        return NO_WAY;
    };
    if let Some(name) = HOST_NAMES.get(way) {
        name.words[0].store(high);
        name.words[1].store(low);
    }
    way
}

/// Takes a host from the budget, a bucket of its own. The coarse clock is enough: it allows a few
/// hosts more at once, and no higher rate.
#[inline(always)]
fn affords(config: &Config, budget: &Budget) -> bool {
    let now = KernelClock::read(0).coarse();
    let found = budget.tat.load();
    let debt = bucket::debt(found, now);
    // Whoever loses an exchange goes without, and tries again with its next packet.
    debt <= config.insert_burst_ticks
        && budget.tat.compare_exchange(found, now + debt + config.insert_cost_ticks).is_ok()
}

#[inline(always)]
fn choices(config: &Config, tag: u64) -> Choices {
    Choices::new(tag, config.hash_seed, config.host_set_mask as u32)
}
