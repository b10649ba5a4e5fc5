//! The host table. Nothing else in the agent knows how it is laid out.

use std::{
    collections::VecDeque,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use throttle_common::{
    abi::{
        Binding, Config, Direction, Host, HostDirection, HostName, HostSet, LastExcess,
        since_seen_ns,
    },
    address::Address,
    cell::{AtomicWord, Cell},
    host_table::{self, Choices, FREE, RESTING, Sets, WAYS},
};

use super::{codec, mapped::Mapped, state::Tally};

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
        let tally =
            |packets: &Cell, bytes: &Cell| Tally { packets: packets.load(), bytes: bytes.load() };
        Self {
            bytes_tat: direction.buckets.bytes_tat.load(),
            packets_tat: direction.buckets.packets_tat.load(),
            binding: Binding::from_word(direction.buckets.binding.load()),
            last_seen: direction.last_seen.load(),
            last_excess: LastExcess::from_word(direction.last_excess.load()),
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
    fn new(address: Address, host: &Host) -> Self {
        let address = codec::decode_address(address);
        let [up, down] = host.directions.each_ref().map(DirectionSnapshot::of);
        Self { address, up, down }
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

/// Maps `HOST_SETS`, `HOSTS` and `HOST_NAMES`.
pub(super) struct HostTable {
    sets: MappedSets,
    hosts: Mapped<Host>,
    /// Of every way, where tags do not tell all hosts.
    names: Option<Mapped<HostName>>,
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
    pub(super) fn new(sets: Mapped<HostSet>, hosts: Mapped<Host>, names: Mapped<HostName>) -> Self {
        let until = Instant::now() + REST;
        let names = Some(names).filter(|names| names.len() == hosts.len());
        let mut table = Self { sets: MappedSets(sets), hosts, names, resting: VecDeque::new() };
        let tags = table.tags().enumerate();
        let resting = tags.filter(|(_, tag)| tag.load() == RESTING).map(|(way, _)| (way, until));
        table.resting = resting.collect();
        table
    }

    /// Every direction of every way, whether a host has it or not.
    pub(super) fn directions(&self) -> impl Iterator<Item = &HostDirection> {
        self.hosts.entries().iter().flat_map(|host| &host.directions)
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
        let (host, tag, choices) = place(config, address);
        let way = host_table::find(&self.sets, choices, tag)?;
        Some(HostSnapshot::new(host, self.hosts.entries().get(way as usize)?))
    }

    /// Adds hosts before their first packet, so that a full table cannot keep them out later.
    ///
    /// Where its sets are full, a host takes the way of the one that `may_go` and has been idle
    /// longest. Returns those for which none may.
    pub(super) fn insert(
        &mut self,
        config: &Config,
        hosts: impl IntoIterator<Item = IpAddr>,
        may_go: impl Fn(IpAddr) -> bool,
        now_ns: u64,
    ) -> Vec<IpAddr> {
        let (mut left_out, mut evicting) = (Vec::new(), Vec::new());
        for address in hosts {
            let (host, tag, choices) = place(config, address);
            if let Some(way) = host_table::make(&self.sets, choices, tag) {
                self.name(way as usize, host);
            } else if let Some(way) = self.longest_idle(choices, &may_go, now_ns) {
                self.tag(way).store(RESTING);
                evicting.push((way, host, tag));
            } else {
                left_out.push(address);
            }
        }
        if !evicting.is_empty() {
            thread::sleep(REST);
        }
        for (way, host, tag) in evicting {
            self.clear(way);
            self.name(way, host);
            self.tag(way).store(tag);
        }
        left_out
    }

    /// Of the hosts in two sets that `may_go`, the way of the one that has been idle longest.
    fn longest_idle(
        &self,
        choices: Choices,
        may_go: &impl Fn(IpAddr) -> bool,
        now_ns: u64,
    ) -> Option<usize> {
        let ways = choices.ways().into_iter().flatten().map(|way| way as usize);
        let hosts = ways.filter_map(|way| Some((way, self.host(way)?)));
        let candidates = hosts.filter(|(_, host)| may_go(host.address));
        let idle_ns = |host: &HostSnapshot| host.idle_ns(now_ns).unwrap_or(u64::MAX);
        candidates.max_by_key(|(_, host)| idle_ns(host)).map(|(way, _)| way)
    }

    /// How long a host may be idle, at most `idle`: less, the fuller the table is.
    pub(super) fn patience(&self, idle: Duration) -> Duration {
        let percent = self.tracked() * 100 / self.capacity().max(1);
        let crowded = CROWDED.iter().find(|(least, _)| percent >= *least);
        crowded.map_or(idle, |(_, patience)| idle.min(*patience))
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
            let (_, tag, choices) = place(config, host.address);
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
        host.directions.iter().for_each(HostDirection::clear);
        self.name(way, Address::from_words(0, 0));
    }

    /// Notes the address of a host where its tag does not tell it.
    fn name(&self, way: usize, host: Address) {
        if let Some(names) = &self.names {
            let (high, low) = host.words();
            let [to_high, to_low] = &names.entries()[way].words;
            to_high.store(high);
            to_low.store(low);
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
        (0..self.capacity()).filter_map(|way| Some((way, self.host(way)?)))
    }

    /// The host that has a way; `None` also while whoever has just claimed it is about to name it.
    fn host(&self, way: usize) -> Option<HostSnapshot> {
        let tag = self.tag(way).load();
        if !is_used(tag) {
            return None;
        }
        let address = match &self.names {
            None => host_table::address(tag),
            Some(names) => {
                let [high, low] = &names.entries()[way].words;
                let (high, low) = (high.load(), low.load());
                if high == 0 && low == 0 {
                    return None;
                }
                Address::from_words(high, low)
            }
        };
        Some(HostSnapshot::new(address, self.hosts.entries().get(way)?))
    }
}

/// Whether a way with this tag has a host.
fn is_used(tag: u64) -> bool {
    tag != FREE && tag != RESTING
}

/// The host that an address belongs to, its tag and the sets it may be in.
fn place(config: &Config, address: IpAddr) -> (Address, u64, Choices) {
    let host = codec::encode_address(address).host(&config.ipv6_mask);
    let tag = host_table::tag(host, config.hash_seed);
    (host, tag, Choices::new(tag, config.hash_seed, config.host_set_mask as u32))
}
