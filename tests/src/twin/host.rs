//! A host of the twin.

use throttle_agent::datapath::Tally;
use throttle_common::{
    abi::{Buckets, Direction},
    cell::{AtomicWord as _, Cell},
    packet::Wire,
};

use super::{Used, buckets};

/// Per direction, its buckets and what it has counted.
pub(super) struct Host {
    pub(super) buckets: [Buckets; 2],
    used: [[[Cell; 2]; 2]; 2],
}

impl Host {
    /// Without a debt.
    pub(super) fn new() -> Self {
        Self { buckets: [(); 2].map(|()| buckets::empty()), used: Default::default() }
    }

    /// Counts a packet, by whether it found room.
    pub(super) fn count(&self, direction: Direction, is_excess: bool, wire: Wire) {
        let [packets, bytes] = &self.used[direction as usize][usize::from(is_excess)];
        packets.add(wire.packets.into());
        bytes.add(wire.bytes.into());
    }

    /// What is counted.
    pub(super) fn read(&self) -> Used {
        let read =
            |[packets, bytes]: &[Cell; 2]| Tally { packets: packets.load(), bytes: bytes.load() };
        self.used.each_ref().map(|fates| fates.each_ref().map(read))
    }
}
