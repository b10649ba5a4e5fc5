//! Counters that every processor keeps for itself.

use super::{Direction, MAX_LINKS};
use crate::verdict::Reason;

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
const REASON_STRIDE: u32 = 32;

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
    assert!(size_of::<Tally>() == 16);
    assert!(size_of::<LimitUse>() == 32);
    assert!(Reason::COUNT <= REASON_STRIDE as usize);
};
