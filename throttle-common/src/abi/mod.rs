//! Layouts of everything that lives in a BPF map. The agent and the program agree on them by
//! compiling these files; [`VERSION`] changes whenever one of them does.

mod counters;
mod excess;
mod host;
mod limit;
mod link;
mod policy;
mod time;

pub use counters::{LimitUse, REASON_ENTRIES, Tally, limit_use_index, reason_index};
pub use excess::{
    EVENT_BURST, EVENTS_BYTES, EVENTS_PER_SECOND, EventBudget, ExcessEvent, LastExcess,
};
pub use host::{
    Binding, Buckets, Budget, CommonBuckets, CommonDirection, Host, HostDirection, HostName,
    HostSet, OVERFLOW_BUCKETS,
};
pub use limit::{AskedRates, Limit, LimitRates, NAME_BYTES, PrefixKey, Role};
pub use link::{LINK_PROBES, LINK_SLOTS, Link, MAX_LINKS, link_slot};
pub use policy::Policy;
pub use time::{SEEN_TICK_NS, seen_word, since_seen_ns};

use crate::{address::Mask, cell::Cell};

/// Version of these layouts; part of the path of the pins.
pub const VERSION: u32 = 3;

/// Which way a packet goes, from the host's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Direction {
    /// Sent by the host.
    Up = 0,
    /// Sent to the host.
    Down = 1,
}

impl Direction {
    /// Both directions, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Up, Self::Down];

    /// The direction of an even or odd number. It is computed rather than looked up, so that the
    /// verifier follows one path for both.
    #[inline(always)]
    #[must_use]
    pub const fn from_parity(number: u32) -> Self {
        if number & 1 == 0 { Self::Up } else { Self::Down }
    }
}

/// Where the hosts are, seen from a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Side {
    /// Beyond the wire: what comes in was sent by a host.
    #[default]
    Far = 0,
    /// Behind this machine: what goes out was sent by a host.
    Near = 1,
}

/// The hook a program runs at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Hook {
    /// Packets that come in.
    Ingress = 0,
    /// Packets that go out.
    Egress = 1,
}

/// What holds for the whole instance. Map `CONFIG`: array of one; written by the agent through
/// shared memory, one word at a time.
#[repr(C)]
pub struct Config {
    /// The policy in force; see [`Policy`].
    pub policy: Cell,
    /// Seed of the hashes that pick a host's sets and its overflow bucket.
    pub hash_seed: u64,
    /// Number of host sets, a power of two, less one.
    pub host_set_mask: u64,
    /// Bits of an IPv6 address that tell hosts apart.
    pub ipv6_mask: Mask,
    /// What a host that traffic makes costs of the [`Budget`], in ticks.
    pub insert_cost_ticks: u64,
    /// Debt of the [`Budget`] up to which traffic makes hosts, in ticks.
    pub insert_burst_ticks: u64,
    /// Cookie of the network namespace the links are in; for the agent only.
    pub netns_cookie: u64,
    /// Always 0, which the verifier cannot know.
    pub zero: u64,
}

impl Config {
    /// The same number, of which the verifier no longer knows how it came about: it then follows one
    /// path for all numbers, rather than one for each.
    #[inline(always)]
    #[must_use]
    pub const fn forget(&self, number: u64) -> u64 {
        number.wrapping_add(self.zero)
    }
}

const _: () = {
    assert!(size_of::<Config>() == 72);
    assert!(core::mem::offset_of!(Config, policy) == 0);
};
