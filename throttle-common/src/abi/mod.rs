//! Layouts of everything that lives in a BPF map. The agent and the program agree on them by
//! compiling these files; [`VERSION`] changes whenever one of them does.

mod counters;
mod host;
mod limit;
mod link;

pub use counters::{LimitUse, REASON_ENTRIES, Tally, limit_use_index, reason_index};
pub use host::{
    Binding, Buckets, CommonBuckets, CommonDirection, Host, HostDirection, HostSet,
    OVERFLOW_BUCKETS,
};
pub use limit::{AskedRates, Limit, LimitRates, PrefixKey};
pub use link::{LINK_PROBES, LINK_SLOTS, Link, MAX_LINKS, link_slot};

use crate::{address::Mask, cell::Cell};

/// Version of these layouts; part of the path of the pins.
pub const VERSION: u32 = 1;

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
pub enum Hook {
    /// Packets that come in.
    Ingress,
    /// Packets that go out.
    Egress,
}

/// What holds for the whole instance. Map `CONFIG`: array of one; written by the agent through
/// shared memory, one word at a time.
#[repr(C)]
pub struct Config {
    /// Number of the policy in force, never 0: a host bound under another number is bound anew.
    pub generation: Cell,
    /// Seed of the hashes that pick a host's sets and its overflow bucket.
    pub hash_seed: u64,
    /// Number of host sets, a power of two, less one.
    pub host_set_mask: u64,
    /// Bits of an IPv6 address that tell hosts apart.
    pub ipv6_mask: Mask,
    /// Cookie of the network namespace the links are in; for the agent only.
    pub netns_cookie: u64,
}

const _: () = {
    assert!(size_of::<Config>() == 48);
    assert!(core::mem::offset_of!(Config, generation) == 0);
};
