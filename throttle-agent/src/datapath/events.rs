//! Events that the program tells, in the order in which they happened.

use std::{
    net::IpAddr,
    os::fd::{AsRawFd, RawFd},
};

use aya::{
    Ebpf,
    maps::{Map, MapData, RingBuf},
};
use throttle_common::{
    abi::{Direction, EventBudget, ExcessEvent},
    address::Address,
    cell::AtomicWord,
    verdict::Reason,
};

use super::{codec, mapped::Mapped};
use crate::error::{Error, Kind, Result, ResultExt};

/// A host that has begun to exceed its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeding {
    /// The host's address; for IPv6 the first address of its host prefix.
    pub host: IpAddr,
    /// Which way its packet went.
    pub direction: Direction,
    /// Why that found no room.
    pub reason: Reason,
}

/// Ring buffer `EVENTS` and map `EVENT_BUDGET`, neither of which is pinned: they end with the program.
pub struct ExcessEvents {
    ring: RingBuf<MapData>,
    budget: Mapped<EventBudget>,
    /// Lost events that were reported.
    reported: u64,
}

impl ExcessEvents {
    /// Takes both out of the object.
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self> {
        let take = |ebpf: &mut Ebpf, name: &str| {
            let map = ebpf.take_map(name);
            map.ok_or_else(|| Error::failed(format!("the eBPF object has no map {name}")))
        };
        let ring = RingBuf::try_from(take(ebpf, "EVENTS")?)
            .doing(Kind::Failed, || "opening map EVENTS")?;
        let Map::Array(budget) = take(ebpf, "EVENT_BUDGET")? else {
            return Err(Error::failed("map EVENT_BUDGET of the eBPF object is no array"));
        };
        Ok(Self { ring, budget: Mapped::new(&budget, "EVENT_BUDGET")?, reported: 0 })
    }

    /// Events that were lost since the last call: the program's budget was spent, or nobody read.
    pub fn newly_lost(&mut self) -> u64 {
        let lost = self.budget.entries().first().map_or(0, |budget| budget.lost.load());
        lost - std::mem::replace(&mut self.reported, lost)
    }
}

impl Iterator for ExcessEvents {
    type Item = Exceeding;

    /// The next event that is there already.
    fn next(&mut self) -> Option<Exceeding> {
        self.ring.next().as_deref().and_then(read)
    }
}

impl AsRawFd for ExcessEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// Reads an [`ExcessEvent`]; `None` when it has another length.
fn read(bytes: &[u8]) -> Option<Exceeding> {
    if bytes.len() < size_of::<ExcessEvent>() {
        return None;
    }
    let long = |at: usize| Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    Some(Exceeding {
        host: codec::decode_address(Address::from_words(long(0)?, long(8)?)),
        direction: Direction::from_parity(word(16)?),
        reason: Reason::from_number(word(20)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_the_program_writes_it() {
        let (high, low) = Address::from_ipv4([10, 0, 0, 7]).words();
        let mut bytes = Vec::new();
        bytes.extend([high, low].iter().flat_map(|half| half.to_ne_bytes()));
        let numbers = [Direction::Down as u32, Reason::GroupBytes as u32];
        bytes.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        let host = IpAddr::from([10, 0, 0, 7]);
        let told = Exceeding { host, direction: Direction::Down, reason: Reason::GroupBytes };
        assert_eq!((bytes.len(), read(&bytes)), (size_of::<ExcessEvent>(), Some(told)));
        assert_eq!(read(&bytes[1..]), None);
    }
}
