//! The pinned maps and what each must look like.

use aya::maps::{MapInfo, MapType};
use throttle_common::{
    abi::{
        Budget, CommonBuckets, Config, Host, HostName, HostSet, LINK_SLOTS, Limit, LimitUse, Link,
        OVERFLOW_BUCKETS, Policy, PrefixKey, REASON_ENTRIES, Tally,
    },
    host_table,
};

use super::Options;
use crate::error::{Error, Result};

const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_F_MMAPABLE: u32 = 1 << 10;

/// Slots per limit: a change fills a second slot before it frees the first.
const SLOTS_PER_LIMIT: u32 = 2;

/// Rows per limit: a policy is filled in beside one that has as many limits and none in common.
pub(super) const ROWS_PER_LIMIT: u32 = 2;

/// How many entries a map has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entries {
    /// A number that belongs to the layout.
    Fixed(u32),
    /// So many per set of the host table.
    HostSets(u32),
    /// One per way of the host table, where tags do not tell hosts; else one.
    HostNames,
    /// So many per limit, and so many besides.
    PerLimit(u32, u32),
}

/// One pinned map.
pub(super) struct MapLayout {
    /// Name of the map and of its pin.
    pub(super) name: &'static str,
    /// How many entries it has.
    pub(super) entries: Entries,
    kind: MapType,
    key_bytes: usize,
    value_bytes: usize,
    flags: u32,
}

/// Every pinned map.
pub(super) const MAPS: [MapLayout; 12] = [
    array::<Config>("CONFIG", Entries::Fixed(1)).with_flags(BPF_F_MMAPABLE),
    array::<Link>("LINKS", Entries::Fixed(LINK_SLOTS)),
    MapLayout {
        name: "PREFIXES",
        entries: Entries::PerLimit(Policy::BANKS, 0),
        kind: MapType::LpmTrie,
        key_bytes: 4 + size_of::<PrefixKey>(),
        value_bytes: 4,
        flags: BPF_F_NO_PREALLOC,
    },
    array::<Limit>("LIMITS", Entries::PerLimit(SLOTS_PER_LIMIT, 1)).with_flags(BPF_F_MMAPABLE),
    array::<HostSet>("HOST_SETS", Entries::HostSets(1)).with_flags(BPF_F_MMAPABLE),
    array::<Host>("HOSTS", Entries::HostSets(host_table::WAYS)).with_flags(BPF_F_MMAPABLE),
    array::<HostName>("HOST_NAMES", Entries::HostNames).with_flags(BPF_F_MMAPABLE),
    array::<Budget>("BUDGET", Entries::Fixed(1)),
    array::<CommonBuckets>("SHARED", Entries::PerLimit(ROWS_PER_LIMIT, 1))
        .with_flags(BPF_F_MMAPABLE),
    array::<CommonBuckets>("OVERFLOW", Entries::Fixed(OVERFLOW_BUCKETS)),
    array::<Tally>("REASONS", Entries::Fixed(REASON_ENTRIES)).per_cpu(),
    array::<LimitUse>("LIMIT_USE", Entries::PerLimit(2 * ROWS_PER_LIMIT, 2)).per_cpu(),
];

const fn array<V>(name: &'static str, entries: Entries) -> MapLayout {
    let (key_bytes, value_bytes) = (4, size_of::<V>());
    MapLayout { name, entries, kind: MapType::Array, key_bytes, value_bytes, flags: 0 }
}

impl MapLayout {
    const fn with_flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    const fn per_cpu(mut self) -> Self {
        self.kind = MapType::PerCpuArray;
        self
    }

    /// Entries of a new map.
    pub(super) fn max_entries(&self, options: &Options) -> u32 {
        match self.entries {
            Entries::Fixed(entries) => entries,
            Entries::HostSets(entries) => {
                host_table::sets_for(options.max_hosts).saturating_mul(entries)
            }
            Entries::HostNames if options.ipv6_host_prefix > host_table::TAG_PREFIX_BITS => {
                host_table::sets_for(options.max_hosts).saturating_mul(host_table::WAYS)
            }
            Entries::HostNames => 1,
            Entries::PerLimit(entries, more) => {
                options.max_limits.saturating_mul(entries).saturating_add(more)
            }
        }
    }

    /// Checks that a map of the kernel is laid out like this.
    ///
    /// Capacities that the operator chooses may differ: those of a pinned map stay.
    pub(super) fn check(&self, found: &MapInfo) -> Result<()> {
        let entries = match self.entries {
            Entries::Fixed(entries) => entries,
            Entries::HostSets(_) | Entries::HostNames | Entries::PerLimit(..) => {
                found.max_entries()
            }
        };
        let expected = (Some(self.kind), self.key_bytes, self.value_bytes, self.flags, entries);
        let actual = (
            found.map_type().ok(),
            found.key_size() as usize,
            found.value_size() as usize,
            found.map_flags(),
            found.max_entries(),
        );
        if actual == expected {
            return Ok(());
        }
        Err(Error::failed(format!(
            "adopting map {}: its pin has type, key bytes, value bytes, flags and entries {actual:?}, \
             and this agent accepts {expected:?}",
            self.name
        ))
        .hint("`throttle-agent detach --all` removes the pins, and with them the limits"))
    }
}
