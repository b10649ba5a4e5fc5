//! What this processor has of groups and links in advance.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use throttle_common::{
    abi::Direction,
    bucket::{self, Advances, advance_index},
};

#[map]
static ADVANCES: PerCpuArray<Advances> = PerCpuArray::with_max_entries(bucket::ADVANCES, 0);

/// What there is of a row under the limit in a slot.
#[inline(always)]
pub(crate) fn of(row: u32, direction: Direction, slot: u32) -> Option<&'static Advances> {
    let advances = ADVANCES.get(advance_index(row, direction))?;
    Some(advances.of(row, slot))
}
