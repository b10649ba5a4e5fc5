//! Layouts of everything that lives in a BPF map. The agent and the program agree on them by
//! compiling this file; [`VERSION`] changes whenever one of them does.

use crate::{
    address::{Address, Mask},
    cell::Cell,
    host_table,
    rate::Rate,
    verdict::Reason,
};

/// Version of these layouts; part of the path of the pins.
pub const VERSION: u32 = 1;

/// Links that one instance can have.
pub const MAX_LINKS: u32 = 256;

/// Overflow buckets; a power of two.
pub const OVERFLOW_BUCKETS: u32 = 1024;

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

/// Slots of map `LINKS`; a power of two.
pub const LINK_SLOTS: u32 = 1024;

/// Slots that a link may be in, one after the other from [`link_slot`] on.
pub const LINK_PROBES: u32 = 4;

/// The `probe`-th slot that the link of an interface may be in.
#[inline(always)]
#[must_use]
pub const fn link_slot(ifindex: u32, probe: u32) -> u32 {
    ifindex.wrapping_add(probe) % LINK_SLOTS
}

/// One link. Map `LINKS`: array by [`link_slot`], which costs a tenth of a hash; written by the agent.
/// A packet on an interface that no slot names is not ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Link {
    /// Index of the interface; 0 in a free slot.
    pub ifindex: u32,
    /// Index of the link's counters.
    pub index: u32,
    /// [`Side`] as a number.
    pub side: u32,
    /// [`Link::CLSACT`] and [`Link::MADE_QDISC`]; for the agent only.
    pub flags: u32,
}

impl Link {
    /// Attached through the clsact qdisc, not TCX.
    pub const CLSACT: u32 = 1;
    /// The clsact qdisc was added by the agent.
    pub const MADE_QDISC: u32 = 2;

    /// Which way a packet at `hook` goes.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, hook: Hook) -> Direction {
        let far = self.side == Side::Far as u32;
        match hook {
            Hook::Ingress if far => Direction::Up,
            Hook::Ingress => Direction::Down,
            Hook::Egress if far => Direction::Down,
            Hook::Egress => Direction::Up,
        }
    }
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

/// Key of map `PREFIXES`, behind a prefix length in bits: LPM trie to slot; written by the agent. A
/// miss means that no limit holds the host.
///
/// The family comes first, so that `::/0` does not hold the IPv4-mapped addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct PrefixKey {
    family: u32,
    address: [u8; 16],
}

impl PrefixKey {
    /// Bits of a key that tell hosts apart.
    pub const HOST_BITS: u32 = Self::FAMILY_BITS + 128;

    const FAMILY_BITS: u32 = 32;

    /// The key of a host, or of a prefix whose host bits are zero.
    #[inline(always)]
    #[must_use]
    pub const fn new(address: Address) -> Self {
        let family = if address.is_ipv4() { 4 } else { 6 };
        Self { family, address: address.octets() }
    }

    /// The key of a prefix, and its length in bits with the family's.
    #[must_use]
    pub const fn of_prefix(is_ipv4: bool, address: Address, bits: u32) -> (Self, u32) {
        let family = if is_ipv4 { 4 } else { 6 };
        (Self { family, address: address.octets() }, Self::FAMILY_BITS + bits)
    }
}

/// One limit as the kernel computes with it. Map `LIMITS`: array by slot; written by the agent.
///
/// A limit in use is never written: a change fills another slot and points the prefix at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Limit {
    /// Per [`Direction`], the rates on bytes and on packets.
    pub rates: [LimitRates; 2],
    /// [`Limit::SHARED`], [`Limit::TOTAL_BYTES`] and [`Limit::TOTAL_PACKETS`].
    pub flags: u32,
    /// Index of the limit's counters and shared buckets; stays with the prefix through changes.
    pub index: u32,
    /// The rates and bursts that were asked for, per [`Direction`]; for the agent only.
    pub asked: [AskedRates; 2],
    /// The prefix, in the IPv4-mapped form.
    pub prefix: Address,
    /// Length of the prefix, in the IPv4-mapped form.
    pub prefix_bits: u32,
    /// Keeps the layout free of implicit padding.
    pub reserved: u32,
}

/// Rates of one direction as the kernel computes with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LimitRates {
    /// Limit on bytes.
    pub bytes: Rate,
    /// Limit on packets.
    pub packets: Rate,
}

/// Rates of one direction as they were asked for; 0 where nothing was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AskedRates {
    /// Bits per second.
    pub bits_per_second: u64,
    /// Burst, in bytes.
    pub burst_bytes: u64,
    /// Packets per second.
    pub packets_per_second: u64,
    /// Burst, in packets.
    pub burst_packets: u64,
}

impl Limit {
    /// The prefix has one bucket; else every host has its own.
    pub const SHARED: u32 = 1;
    /// Both directions are charged to one byte bucket, that of [`Direction::Up`].
    pub const TOTAL_BYTES: u32 = 2;
    /// Both directions are charged to one packet bucket, that of [`Direction::Up`].
    pub const TOTAL_PACKETS: u32 = 4;

    /// Whether the limit has `flag`.
    #[inline(always)]
    #[must_use]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// Buckets of one direction.
#[repr(C)]
pub struct Buckets {
    /// Theoretical arrival time of the byte bucket, in ticks.
    pub bytes_tat: Cell,
    /// Theoretical arrival time of the packet bucket, in ticks.
    pub packets_tat: Cell,
}

/// One direction of a host: one cache line.
#[repr(C)]
pub struct HostDirection {
    /// The host's own buckets.
    pub buckets: Buckets,
    /// The limit that holds the host; see [`Binding`].
    pub binding: Cell,
    /// Coarse monotonic time of the last packet, in nanoseconds; 0 before the first.
    pub last_seen_ns: Cell,
    /// Layer-3 bytes that passed.
    pub passed_bytes: Cell,
    /// Wire packets that passed.
    pub passed_packets: Cell,
    /// Layer-3 bytes that found no room.
    pub excess_bytes: Cell,
    /// Wire packets that found no room.
    pub excess_packets: Cell,
}

/// Tags of the hosts in one set of the host table. Map `HOST_SETS`: array; see
/// [`host_table`](crate::host_table). Claimed by the program, or by the agent through shared memory,
/// and freed by the agent.
#[repr(C)]
pub struct HostSet {
    /// One tag per way.
    pub tags: [Cell; host_table::WAYS as usize],
}

/// One host. Map `HOSTS`: array by way; all zero until the way is claimed, then changed by the program.
/// The agent reads it through shared memory.
#[repr(C)]
pub struct Host {
    /// Packets sent by the host.
    pub up: HostDirection,
    /// Packets sent to the host.
    pub down: HostDirection,
}

impl Host {
    /// The state of one direction.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &HostDirection {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

/// Buckets that many hosts are charged to. Maps `SHARED`: array by [`Limit::index`], and `OVERFLOW`:
/// array by hash; changed by the program.
#[repr(C)]
pub struct CommonBuckets {
    /// Packets sent by the hosts.
    pub up: CommonDirection,
    /// Packets sent to the hosts.
    pub down: CommonDirection,
}

/// One direction of [`CommonBuckets`]: one cache line, apart from the other direction's.
#[repr(C)]
pub struct CommonDirection {
    /// The buckets.
    pub buckets: Buckets,
    /// The slot of the limit that last clamped the buckets; see [`Binding`].
    pub binding: Cell,
    reserved: [u64; 5],
}

impl CommonBuckets {
    /// The state of one direction.
    #[inline(always)]
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &CommonDirection {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

/// A slot together with the generation under which it was looked up, as one word.
///
/// One word, so that two processors that bind a host under different generations cannot mix a slot
/// of one with the generation of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The generation; 0 in a word that was never written.
    pub generation: u32,
    /// The slot, or [`Binding::NO_LIMIT`].
    pub slot: u32,
}

impl Binding {
    /// In place of a slot: no limit holds the host.
    pub const NO_LIMIT: u32 = u32::MAX;

    /// A slot, or the fact that there is none, looked up under `generation`.
    #[inline(always)]
    #[must_use]
    pub const fn new(generation: u32, slot: Option<u32>) -> Self {
        match slot {
            Some(slot) => Self { generation, slot },
            None => Self { generation, slot: Self::NO_LIMIT },
        }
    }

    /// The slot, or `None` when no limit holds the host.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self) -> Option<u32> {
        if self.slot == Self::NO_LIMIT { None } else { Some(self.slot) }
    }

    /// Reads the word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self { generation: (word >> 32) as u32, slot: word as u32 }
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }
}

/// Packets and bytes. Map `REASONS`: per-CPU array by [`reason_index`]; added to by the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Tally {
    /// Wire packets.
    pub packets: u64,
    /// Layer-3 bytes.
    pub bytes: u64,
}

/// Packets of one limit. Map `LIMIT_USE`: per-CPU array by [`limit_use_index`]; added to by the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LimitUse {
    /// Packets that passed.
    pub passed: Tally,
    /// Packets that found no room.
    pub excess: Tally,
}

/// Entries of `REASONS` per link and direction; a power of two.
const REASON_STRIDE: u32 = 16;

/// Entries of map `REASONS`.
pub const REASON_ENTRIES: u32 = MAX_LINKS * 2 * REASON_STRIDE;

/// Where a link's packets of one direction and reason are counted.
#[inline(always)]
#[must_use]
pub const fn reason_index(link: u32, direction: Direction, reason: Reason) -> u32 {
    (link * 2 + direction as u32) * REASON_STRIDE + reason as u32
}

/// Where a limit's packets of one direction are counted.
#[inline(always)]
#[must_use]
pub const fn limit_use_index(limit: u32, direction: Direction) -> u32 {
    limit * 2 + direction as u32
}

const _: () = {
    assert!(size_of::<Link>() == 16);
    assert!(size_of::<Config>() == 48);
    assert!(size_of::<PrefixKey>() == 20 && align_of::<PrefixKey>() == 4);
    assert!(size_of::<LimitRates>() == 48);
    assert!(size_of::<Limit>() == 192);
    assert!(size_of::<HostDirection>() == 64);
    assert!(size_of::<HostSet>() == 64);
    assert!(size_of::<Host>() == 128);
    assert!(size_of::<CommonBuckets>() == 128);
    assert!(size_of::<LimitUse>() == 32);
    assert!(core::mem::offset_of!(Config, generation) == 0);
    assert!(core::mem::offset_of!(HostDirection, binding) == 16);
    assert!(Reason::COUNT <= REASON_STRIDE as usize);
    assert!(OVERFLOW_BUCKETS.is_power_of_two() && LINK_SLOTS.is_power_of_two());
};
