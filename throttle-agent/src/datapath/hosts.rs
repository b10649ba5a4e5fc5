//! The host table. Nothing else in the agent knows what kind of map it is.

use std::{
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
};

use aya::maps::{HashMap, MapData, MapError};
use throttle_common::{
    abi::{Binding, Direction},
    address::{Address, Mask},
};

use super::{bpf, codec, state::Tally};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    policy::IPV6_HOST_PREFIX_BITS,
};

/// A host's value, read as words: two [`HostDirection`](throttle_common::abi::HostDirection)s.
type Words = [u64; 16];

/// One direction of a host, as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct DirectionSnapshot {
    /// Theoretical arrival time of the byte bucket, in ticks.
    pub(super) bytes_tat: u64,
    /// Theoretical arrival time of the packet bucket, in ticks.
    pub(super) packets_tat: u64,
    /// The limit that held the host at its last packet.
    pub(super) binding: Binding,
    /// Monotonic time of the last packet, in nanoseconds; 0 before the first.
    pub(super) last_seen_ns: u64,
    /// Packets that conformed.
    pub(super) passed: Tally,
    /// Packets that found no room.
    pub(super) excess: Tally,
}

/// One host, as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostSnapshot {
    /// The host's address.
    pub(super) address: IpAddr,
    up: DirectionSnapshot,
    down: DirectionSnapshot,
}

impl HostSnapshot {
    fn new(key: [u8; 16], words: &Words) -> Self {
        let direction = |w: &[u64]| DirectionSnapshot {
            bytes_tat: w[0],
            packets_tat: w[1],
            binding: Binding::from_word(w[2]),
            last_seen_ns: w[3],
            passed: Tally { bytes: w[4], packets: w[5] },
            excess: Tally { bytes: w[6], packets: w[7] },
        };
        let address = codec::decode_address(Address::from_octets(key));
        Self { address, up: direction(&words[..8]), down: direction(&words[8..]) }
    }

    /// One direction.
    pub(super) fn direction(&self, direction: Direction) -> &DirectionSnapshot {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// Monotonic time of the last packet in either direction, in nanoseconds; 0 before the first.
    pub(super) fn last_seen_ns(&self) -> u64 {
        self.up.last_seen_ns.max(self.down.last_seen_ns)
    }

    /// The limit that held the host at its last packet.
    pub(super) fn latest_binding(&self) -> Binding {
        if self.up.last_seen_ns >= self.down.last_seen_ns {
            self.up.binding
        } else {
            self.down.binding
        }
    }
}

/// Map `HOSTS`.
pub(super) struct HostTable {
    map: HashMap<MapData, [u8; 16], Words>,
    fd: OwnedFd,
    capacity: u32,
}

impl HostTable {
    /// Wraps the map, which has room for `capacity` hosts; `fd` is a descriptor of it.
    pub(super) fn new(map: HashMap<MapData, [u8; 16], Words>, fd: OwnedFd, capacity: u32) -> Self {
        Self { map, fd, capacity }
    }

    /// Hosts that the table has room for.
    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Calls `visit` with every host.
    pub(super) fn for_each(&self, mut visit: impl FnMut(HostSnapshot)) -> Result<()> {
        bpf::for_each(self.fd.as_fd(), |key: &[u8; 16], words: &Words| {
            visit(HostSnapshot::new(*key, words));
        })
        .doing(Kind::Failed, || "reading map HOSTS")
    }

    /// The host that an address belongs to.
    pub(super) fn get(&self, address: IpAddr) -> Result<Option<HostSnapshot>> {
        let key = key(address);
        match self.map.get(&key, 0) {
            Ok(words) => Ok(Some(HostSnapshot::new(key, &words))),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error).doing(Kind::Failed, || format!("reading host {address}")),
        }
    }

    /// Adds a host before its first packet, so that a full table cannot keep it out later.
    ///
    /// `false` when the table has no room.
    pub(super) fn insert(&mut self, address: IpAddr) -> Result<bool> {
        const BPF_NOEXIST: u64 = 1;
        let Err(error) = self.map.insert(key(address), [0; 16], BPF_NOEXIST) else {
            return Ok(true);
        };
        let cause = match &error {
            MapError::SyscallError(call) => call.io_error.raw_os_error(),
            _ => None,
        };
        match cause {
            Some(libc::EEXIST) => Ok(true),
            Some(libc::E2BIG | libc::ENOMEM) => Ok(false),
            Some(_) | None => Err(Error::from(anyhow::Error::new(error)))
                .doing(Kind::Failed, || format!("adding host {address}")),
        }
    }

    /// Removes a host.
    pub(super) fn remove(&mut self, address: IpAddr) -> Result<()> {
        match self.map.remove(&key(address)) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(error).doing(Kind::Failed, || format!("removing host {address}")),
        }
    }
}

fn key(address: IpAddr) -> [u8; 16] {
    let mask = Mask::from_prefix_len(IPV6_HOST_PREFIX_BITS.into());
    codec::encode_address(address).host(&mask).octets()
}
