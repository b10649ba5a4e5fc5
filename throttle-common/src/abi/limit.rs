//! Limits, and the prefixes that lead to them.

use super::Policy;
use crate::{address::Address, rate::Rate};

/// Key of map `PREFIXES`, behind a prefix length in bits: LPM trie to slot; written by the agent. A
/// miss means that no limit holds the address.
///
/// A selector of family, role and bank comes first, so that `::/0` does not hold the IPv4-mapped
/// addresses, and so that a new policy can be filled in beside the one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct PrefixKey {
    selector: u32,
    address: [u8; 16],
}

/// Whose address a prefix is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// The host's.
    Host = 0,
    /// The other address of the packet.
    Peer = 1,
}

impl PrefixKey {
    /// Bits of a key that tell addresses apart.
    pub const HOST_BITS: u32 = Self::SELECTOR_BITS + 128;

    const SELECTOR_BITS: u32 = 32;

    /// The key of an address.
    #[inline(always)]
    #[must_use]
    pub const fn new(address: Address, role: Role, bank: u32) -> Self {
        Self::of_family(address.is_ipv4(), address, role, bank)
    }

    /// The key of a prefix whose host bits are zero, and its length in bits with the selector's.
    #[must_use]
    pub const fn of_prefix(
        is_ipv4: bool,
        address: Address,
        bits: u32,
        role: Role,
        bank: u32,
    ) -> (Self, u32) {
        (Self::of_family(is_ipv4, address, role, bank), Self::SELECTOR_BITS + bits)
    }

    /// The bank that the key belongs to.
    #[must_use]
    pub const fn bank(&self) -> u32 {
        self.selector >> 16
    }

    #[inline(always)]
    const fn of_family(is_ipv4: bool, address: Address, role: Role, bank: u32) -> Self {
        let family = if is_ipv4 { 4 } else { 6 };
        Self { selector: family | (role as u32) << 8 | bank << 16, address: address.octets() }
    }
}

/// One limit as the kernel computes with it: of a prefix, a group or a link. Map `LIMITS`: array by
/// slot; written by the agent.
///
/// A limit in use is never written: a change fills another slot and points the prefix, or the level,
/// at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Limit {
    /// [`Limit::SHARED`] and the other flags.
    pub flags: u32,
    /// Index of the limit's counters and common buckets; stays with the prefix, group or link.
    pub index: u32,
    /// Index of the group's common buckets; [`Limit::NO_ROW`] without a group.
    pub group: u32,
    /// The DSCP of [`Limit::DSCP`], the mark of [`Limit::MARK`].
    pub action_value: u32,
    /// Bytes that count as one packet; 0 when every packet counts as one.
    pub packet_unit_bytes: u32,
    /// Length of the prefix, in the IPv4-mapped form.
    pub prefix_bits: u32,
    /// Per [`Direction`](super::Direction), what is granted once per host, in ticks.
    pub one_time_ticks: [u64; 2],
    /// The prefix, in the IPv4-mapped form.
    pub prefix: Address,
    /// Always 0, which the verifier cannot know.
    pub zero: u64,
    /// Per [`Direction`](super::Direction), the rates on bytes and on packets.
    pub rates: [LimitRates; 2],
    /// The rates and bursts that were asked for, per [`Direction`](super::Direction); for the agent
    /// only.
    pub asked: [AskedRates; 2],
    /// What is granted once per host, in bytes; for the agent only.
    pub one_time_bytes: u64,
    /// Delay beyond which a limit that paces marks, in nanoseconds; 0 for never; for the agent only.
    pub ecn_above_ns: u64,
    /// Name of the group; for the agent only.
    pub name: [u8; NAME_BYTES],
    /// Fills the last cache line.
    pub unused: [u64; 6],
}

/// Bytes of a group's name, the zeros behind it included.
pub const NAME_BYTES: usize = 32;

/// Rates of one direction as the kernel computes with them: one cache line.
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
    /// Time in which the burst in bytes is refilled, in nanoseconds, where the rate is given so.
    pub refill_ns: u64,
    /// Packets per second.
    pub packets_per_second: u64,
    /// Burst, in packets.
    pub burst_packets: u64,
    /// Time in which the burst in packets is refilled, in nanoseconds, where the rate is given so.
    pub packets_refill_ns: u64,
}

impl Limit {
    /// The slot of a limit of nothing, which is never written.
    pub const UNLIMITED_SLOT: u32 = 0;
    /// The index of common buckets that no limit has: they stand for those of no group, and of a link
    /// that is not limited.
    pub const NO_ROW: u32 = 0;

    /// The prefix has one bucket; else every host has its own.
    pub const SHARED: u32 = 1;
    /// Both directions are charged to one byte bucket, that of `Up`.
    pub const TOTAL_BYTES: u32 = 1 << 1;
    /// Both directions are charged to one packet bucket, that of `Up`.
    pub const TOTAL_PACKETS: u32 = 1 << 2;
    /// The prefix is exempt.
    pub const PASS: u32 = 1 << 3;
    /// Packets are marked CE from half of the burst on.
    pub const ECN: u32 = 1 << 4;
    /// Packets leave no sooner than the rate allows.
    pub const PACE: u32 = 1 << 5;
    /// Excess gets another DSCP and passes.
    pub const DSCP: u32 = 1 << 6;
    /// Excess gets a mark on its socket buffer and passes.
    pub const MARK: u32 = 1 << 7;
    /// Excess is counted and passes.
    pub const OBSERVE: u32 = 1 << 8;
    /// The limit is a group's.
    pub const GROUP: u32 = 1 << 9;
    /// The limit is a link's.
    pub const LINK: u32 = 1 << 10;
    /// The prefix is compared with the other address.
    pub const PEER: u32 = 1 << 11;

    /// Whether the limit has one of `flags`.
    #[inline(always)]
    #[must_use]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// Whether excess is not refused.
    #[inline(always)]
    #[must_use]
    pub const fn lets_excess_pass(&self) -> bool {
        self.has(Self::DSCP | Self::MARK | Self::OBSERVE)
    }
}

const _: () = {
    assert!(size_of::<PrefixKey>() == 20 && align_of::<PrefixKey>() == 4);
    assert!(size_of::<LimitRates>() == 64);
    assert!(size_of::<AskedRates>() == 48);
    assert!(size_of::<Limit>() == 384);
    assert!(core::mem::offset_of!(Limit, rates) == 64);
    assert!(Policy::BANKS == 2);
};
