//! The host table. Nothing else in the agent knows how it is laid out.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use throttle_common::{
    abi::{Binding, Direction, Host, HostDirection, LastExcess, since_seen_ns},
    address::Address,
    cell::AtomicWord,
    host_table::{self, Choices, FREE, RESTING},
};

use super::{
    codec,
    host_reader::HostReader,
    state::{HostPlace, HostSource, Tally},
};

/// One direction of a host, as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct DirectionSnapshot {
    /// Theoretical arrival time of the byte bucket, in ticks.
    pub(super) bytes_tat: u64,
    /// Theoretical arrival time of the packet bucket, in ticks.
    pub(super) packets_tat: u64,
    /// The limit that held the host at its last packet.
    pub(super) binding: Binding,
    /// When the last packet came; see [`since_seen_ns`].
    last_seen: u32,
    /// When and why a packet last found no room.
    pub(super) last_excess: LastExcess,
    /// Packets that conformed.
    pub(super) passed: Tally,
    /// Packets that found no room.
    pub(super) excess: Tally,
}

impl DirectionSnapshot {
    fn of(direction: &HostDirection) -> Self {
        Self {
            bytes_tat: direction.buckets.bytes_tat.load(),
            packets_tat: direction.buckets.packets_tat.load(),
            binding: Binding::from_word(direction.buckets.binding.load()),
            last_seen: direction.last_seen.load(),
            last_excess: LastExcess::from_word(direction.last_excess.load()),
            passed: Tally::read(&direction.passed_packets, &direction.passed_bytes),
            excess: Tally::read(&direction.excess_packets, &direction.excess_bytes),
        }
    }
}

/// One host, as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostSnapshot {
    /// The host's address.
    pub(super) address: IpAddr,
    /// Where in the table it is.
    pub(super) place: HostPlace,
    up: DirectionSnapshot,
    down: DirectionSnapshot,
}

impl HostSnapshot {
    pub(super) fn new(place: HostPlace, address: Address, host: &Host) -> Self {
        let address = codec::decode_address(address);
        let [up, down] = host.directions.each_ref().map(DirectionSnapshot::of);
        Self { address, place, up, down }
    }

    /// One direction.
    pub(super) fn direction(&self, direction: Direction) -> &DirectionSnapshot {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// Time since the last packet in either direction, in nanoseconds; `None` before the first.
    pub(super) fn idle_ns(&self, now_ns: u64) -> Option<u64> {
        let idle_ns = [&self.up, &self.down].map(|own| since_seen_ns(own.last_seen, now_ns));
        idle_ns.into_iter().flatten().min()
    }

    /// The limit that held the host at its last packet, if that was under the policy of `generation`.
    pub(super) fn binding(&self, generation: u32) -> Option<Binding> {
        let bindings = [self.up.binding, self.down.binding];
        bindings.into_iter().find(|binding| binding.generation == generation)
    }
}

/// How long a way rests after its host was removed: far longer than a packet stays in the program.
const REST: Duration = Duration::from_secs(1);

/// From how many percent of its ways taken on, the table keeps idle hosts no longer than this. A flood
/// of made-up addresses, each seen once, then makes room for others within seconds.
const CROWDED: [(usize, Duration); 3] =
    [(60, Duration::from_secs(2)), (40, Duration::from_secs(10)), (25, Duration::from_secs(60))];

/// The host table, changed under the agent's lock; read by whoever has the [`HostReader`].
pub(super) struct HostTable {
    reader: Arc<HostReader>,
    /// Ways that rest, and until when, earliest first.
    resting: VecDeque<(u32, Instant)>,
}

impl HostTable {
    /// Begins to change the table. Ways that rested when an earlier agent ended rest anew.
    pub(super) fn new(reader: HostReader) -> Self {
        let until = Instant::now() + REST;
        let is_resting = |way: &u32| reader.tag(*way).load() == RESTING;
        let resting = (0..reader.ways()).filter(is_resting).map(|way| (way, until)).collect();
        Self { reader: Arc::new(reader), resting }
    }

    /// The table for reading.
    pub(super) fn reader(&self) -> &Arc<HostReader> {
        &self.reader
    }

    /// The host that an address belongs to.
    pub(super) fn get(&self, address: IpAddr) -> Option<HostSnapshot> {
        let (_, tag, choices) = self.reader.place(address);
        self.reader.host(host_table::find(&*self.reader, choices, tag)?)
    }

    /// Adds hosts before their first packet, so that a full table cannot keep them out later.
    ///
    /// Where its sets are full, a host takes the way of the one that `may_go` and has been idle
    /// longest. Returns those for which none may.
    pub(super) fn insert(
        &mut self,
        hosts: impl IntoIterator<Item = IpAddr>,
        may_go: impl Fn(IpAddr) -> bool,
        now_ns: u64,
    ) -> Vec<IpAddr> {
        let (mut left_out, mut evicting) = (Vec::new(), Vec::new());
        for address in hosts {
            let (host, tag, choices) = self.reader.place(address);
            if let Some(way) = host_table::make(&*self.reader, choices, tag) {
                self.reader.name(way, host);
            } else if let Some(way) = self.longest_idle(choices, &may_go, now_ns) {
                self.reader.tag(way).store(RESTING);
                evicting.push((way, host, tag));
            } else {
                left_out.push(address);
            }
        }
        if !evicting.is_empty() {
            thread::sleep(REST);
        }
        for (way, host, tag) in evicting {
            self.reader.clear(way);
            self.reader.name(way, host);
            self.reader.tag(way).store(tag);
        }
        left_out
    }

    /// Of the hosts in two sets that `may_go`, the way of the one that has been idle longest.
    fn longest_idle(
        &self,
        choices: Choices,
        may_go: &impl Fn(IpAddr) -> bool,
        now_ns: u64,
    ) -> Option<u32> {
        let ways = choices.ways().into_iter().flatten();
        let hosts = ways.filter_map(|way| Some((way, self.reader.host(way)?)));
        let candidates = hosts.filter(|(_, host)| may_go(host.address));
        let idle_ns = |host: &HostSnapshot| host.idle_ns(now_ns).unwrap_or(u64::MAX);
        candidates.max_by_key(|(_, host)| idle_ns(host)).map(|(way, _)| way)
    }

    /// How long a host may be idle, at most `idle`: less, the fuller the table is.
    pub(super) fn patience(&self, idle: Duration) -> Duration {
        let percent = self.reader.tracked() * 100 / self.reader.ways().max(1) as usize;
        let crowded = CROWDED.iter().find(|(least, _)| percent >= *least);
        crowded.map_or(idle, |(_, patience)| idle.min(*patience))
    }

    /// Removes those of the hosts in `ways` that `may_go`; returns how many.
    pub(super) fn remove(
        &mut self,
        ways: &[u32],
        may_go: impl Fn(&HostReader, &HostSnapshot) -> bool,
    ) -> usize {
        let (before, until) = (self.resting.len(), Instant::now() + REST);
        for &way in ways {
            if self.reader.host(way).is_some_and(|host| may_go(&self.reader, &host)) {
                self.reader.tag(way).store(RESTING);
                self.resting.push_back((way, until));
            }
        }
        self.resting.len() - before
    }

    /// Frees ways that no packet can still use, at most so many; `true` when none is left.
    pub(super) fn free_rested(&mut self, most: usize) -> bool {
        let now = Instant::now();
        for _ in 0..most {
            let Some((way, _)) = self.resting.pop_front_if(|(_, until)| *until <= now) else {
                return true;
            };
            self.reader.clear(way);
            self.reader.tag(way).store(FREE);
        }
        false
    }
}
