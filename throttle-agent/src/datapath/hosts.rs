//! The host table. Nothing else in the agent knows how it is laid out.

use std::{
    collections::VecDeque,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use throttle_common::{
    abi::{Binding, Config, Direction, Host, HostDirection, HostSet},
    address::Mask,
    cell::{AtomicWord, Cell},
    host_table::{self, Choices, FREE, RESTING, Sets, WAYS},
};

use super::{codec, mapped::Mapped, state::Tally};
use crate::policy::IPV6_HOST_PREFIX_BITS;

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

impl DirectionSnapshot {
    fn of(direction: &HostDirection) -> Self {
        let tally =
            |packets: &Cell, bytes: &Cell| Tally { packets: packets.load(), bytes: bytes.load() };
        Self {
            bytes_tat: direction.buckets.bytes_tat.load(),
            packets_tat: direction.buckets.packets_tat.load(),
            binding: Binding::from_word(direction.binding.load()),
            last_seen_ns: direction.last_seen_ns.load(),
            passed: tally(&direction.passed_packets, &direction.passed_bytes),
            excess: tally(&direction.excess_packets, &direction.excess_bytes),
        }
    }
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
    fn new(tag: u64, host: &Host) -> Self {
        let address = codec::decode_address(host_table::address(tag));
        let (up, down) = (DirectionSnapshot::of(&host.up), DirectionSnapshot::of(&host.down));
        Self { address, up, down }
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

/// How long a way rests after its host was removed: far longer than a packet stays in the program.
const REST: Duration = Duration::from_secs(1);

/// Maps `HOST_SETS` and `HOSTS`.
pub(super) struct HostTable {
    sets: MappedSets,
    hosts: Mapped<Host>,
    /// Ways that rest, and until when, earliest first.
    resting: VecDeque<(usize, Instant)>,
}

struct MappedSets(Mapped<HostSet>);

impl Sets for MappedSets {
    fn set(&self, number: u32) -> Option<&HostSet> {
        self.0.entries().get(number as usize)
    }
}

impl HostTable {
    /// Wraps the maps. Ways that rested when an earlier agent ended rest anew.
    pub(super) fn new(sets: Mapped<HostSet>, hosts: Mapped<Host>) -> Self {
        let until = Instant::now() + REST;
        let mut table = Self { sets: MappedSets(sets), hosts, resting: VecDeque::new() };
        let tags = table.tags().enumerate();
        let resting = tags.filter(|(_, tag)| tag.load() == RESTING).map(|(way, _)| (way, until));
        table.resting = resting.collect();
        table
    }

    /// Hosts that the table has room for.
    pub(super) fn capacity(&self) -> usize {
        self.hosts.entries().len()
    }

    /// Hosts in the table.
    pub(super) fn tracked(&self) -> usize {
        self.tags().filter(|tag| is_used(tag.load())).count()
    }

    /// Every host.
    pub(super) fn iter(&self) -> impl Iterator<Item = HostSnapshot> {
        self.used().map(|(_, host)| host)
    }

    /// The host that an address belongs to.
    pub(super) fn get(&self, config: &Config, address: IpAddr) -> Option<HostSnapshot> {
        let (tag, choices) = place(config, address);
        let way = host_table::find(&self.sets, choices, tag)?;
        Some(HostSnapshot::new(tag, self.hosts.entries().get(way as usize)?))
    }

    /// Adds a host before its first packet, so that a full table cannot keep it out later.
    ///
    /// Where its sets are full it takes the way of the host that `may_go` and has been idle longest.
    /// `false` when none of them may.
    pub(super) fn insert(
        &mut self,
        config: &Config,
        address: IpAddr,
        may_go: impl Fn(IpAddr) -> bool,
    ) -> bool {
        let (tag, choices) = place(config, address);
        if host_table::make(&self.sets, choices, tag).is_some() {
            return true;
        }
        let ways = choices.ways();
        let candidates = self.used().filter(|(way, host)| {
            ways.iter().any(|ways| ways.contains(&(*way as u32))) && may_go(host.address)
        });
        let Some((way, _)) = candidates.min_by_key(|(_, host)| host.last_seen_ns()) else {
            return false;
        };
        self.tag(way).store(RESTING);
        thread::sleep(REST);
        self.clear(way);
        self.tag(way).store(tag);
        true
    }

    /// Removes hosts that `may_go`, and frees the ways of those removed long enough ago.
    ///
    /// Returns how many were removed.
    pub(super) fn expire(
        &mut self,
        config: &Config,
        may_go: impl Fn(&HostSnapshot) -> bool,
    ) -> usize {
        self.free_rested();
        let is_lost = |way: usize, host: &HostSnapshot| {
            let (tag, choices) = place(config, host.address);
            host_table::find(&self.sets, choices, tag) != Some(way as u32)
        };
        let ways: Vec<_> = self
            .used()
            .filter(|(way, host)| may_go(host) || is_lost(*way, host))
            .map(|(way, _)| way)
            .collect();
        let until = Instant::now() + REST;
        for &way in &ways {
            self.tag(way).store(RESTING);
            self.resting.push_back((way, until));
        }
        ways.len()
    }

    /// Frees ways that no packet can still use.
    fn free_rested(&mut self) {
        let now = Instant::now();
        while let Some((way, _)) = self.resting.pop_front_if(|(_, until)| *until <= now) {
            self.clear(way);
            self.tag(way).store(FREE);
        }
    }

    fn clear(&self, way: usize) {
        let host = &self.hosts.entries()[way];
        for cell in host.up.cells().into_iter().chain(host.down.cells()) {
            cell.store(0);
        }
    }

    fn tag(&self, way: usize) -> &Cell {
        &self.sets.0.entries()[way / WAYS as usize].tags[way % WAYS as usize]
    }

    fn tags(&self) -> impl Iterator<Item = &Cell> {
        self.sets.0.entries().iter().flat_map(|set| &set.tags)
    }

    /// Every host with its way.
    fn used(&self) -> impl Iterator<Item = (usize, HostSnapshot)> {
        let ways = self.tags().zip(self.hosts.entries()).enumerate();
        ways.filter_map(|(way, (tag, host))| {
            let tag = tag.load();
            is_used(tag).then(|| (way, HostSnapshot::new(tag, host)))
        })
    }
}

/// Whether a way with this tag has a host.
fn is_used(tag: u64) -> bool {
    tag != FREE && tag != RESTING
}

/// An address's tag and the sets it may be in.
fn place(config: &Config, address: IpAddr) -> (u64, Choices) {
    let mask = Mask::from_prefix_len(IPV6_HOST_PREFIX_BITS.into());
    let tag = host_table::tag(codec::encode_address(address).host(&mask));
    (tag, Choices::new(tag, config.hash_seed, config.host_set_mask as u32))
}
