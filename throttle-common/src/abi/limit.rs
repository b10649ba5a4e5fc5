//! Limits, and the prefixes that lead to them.

use crate::{address::Address, rate::Rate};

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

const _: () = {
    assert!(size_of::<PrefixKey>() == 20 && align_of::<PrefixKey>() == 4);
    assert!(size_of::<LimitRates>() == 48);
    assert!(size_of::<Limit>() == 192);
};
