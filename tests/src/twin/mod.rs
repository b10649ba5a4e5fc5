//! The program's twin: predicts what becomes of each packet, out of tables in memory.
//!
//! What the program computes with lies in `throttle_common`, and the twin calls it: parsing, measuring,
//! buckets, verdicts. What takes maps or helpers is written here once more, without a thought for
//! the verifier: which limit holds a host, when its buckets are renewed, what is counted, and how a
//! header is rewritten. Time stands still, so policies have to be such that it plays no part
//! ([`random::policy`](crate::random::policy)), and no table is ever full.

mod buckets;
mod header;
mod host;
mod limits;

use std::collections::HashMap;
use std::rc::Rc;

use throttle_agent::datapath::Tally;
use throttle_agent::policy::{Limit, Policy};
use throttle_common::{
    abi::{self, Binding, Direction, Hook, Role},
    address::{Address, Mask},
    bucket::{self, Account, Excess, Levels, Load, Refused},
    cell::{AtomicWord as _, Cell},
    host_table,
    packet::{self, Buffer, LinkHeader, Packet, Wire},
    verdict::{Level, Reason, Verdict},
};

use self::buckets::{Common, FrozenClock, Grants, Novelty, bind, renew};
use self::host::Host;
use self::limits::Tables;
use crate::prog::Segments;

/// What is counted of a limit, a group or a host: per direction, what passed and what found no room.
pub type Used = [[Tally; 2]; 2];

/// A link of the twin.
#[derive(Debug)]
pub struct Link {
    /// Name of its interface.
    pub name: String,
    /// What packets begin with.
    pub header: LinkHeader,
    /// Which way packets go that come in.
    pub incoming: Direction,
    /// Packets by direction and reason.
    pub reasons: [[Tally; Reason::COUNT]; 2],
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// Why it passes or is refused.
    pub reason: Reason,
    /// Which way it goes.
    pub direction: Direction,
    /// What it counts as.
    pub counted: Tally,
    /// Its bytes afterwards.
    pub bytes: Vec<u8>,
    /// The mark of its buffer afterwards.
    pub mark: u32,
}

/// The twin.
pub struct Twin {
    /// Its links.
    pub links: Vec<Link>,
    mask: Mask,
    tables: Tables,
    /// Number of the policy.
    generation: u32,
    /// By the word that the host table tells them apart by, which no seed plays a part in here.
    hosts: HashMap<u64, (Address, Rc<Host>)>,
    /// Buckets of groups, links and shared prefixes, by row.
    common: Vec<Common>,
    /// What limits and groups have counted, by row.
    used: Vec<Used>,
    clock: FrozenClock,
}

/// What a packet is to be charged to.
struct Place<'a> {
    slot: u32,
    row: u32,
    host: &'a Host,
    novelty: Novelty,
}

impl Twin {
    /// A twin without limits, whose IPv6 hosts are prefixes of so many bits.
    pub fn new(links: Vec<Link>, ipv6_host_prefix: u8) -> Self {
        let mut twin = Self {
            tables: Tables::new(links.len()),
            links,
            mask: Mask::from_prefix_len(ipv6_host_prefix.into()),
            generation: 1,
            hosts: HashMap::new(),
            common: Vec::new(),
            used: Vec::new(),
            clock: FrozenClock,
        };
        twin.make_rows();
        twin
    }

    /// Puts a whole policy in force, the first.
    pub fn apply(&mut self, policy: &Policy) {
        let names: Vec<_> = self.links.iter().map(|link| link.name.as_str()).collect();
        self.tables.apply(policy, &names);
        self.make_rows();
        self.generation += 1;
    }

    /// Puts a limit in force, in the place of another one that its prefix had.
    pub fn set(&mut self, limit: &Limit) {
        self.tables.set(limit);
        self.make_rows();
        self.generation += 1;
    }

    fn make_rows(&mut self) {
        self.common.resize_with(self.tables.rows(), Common::default);
        self.used.resize_with(self.tables.rows(), Used::default);
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// What hosts have counted. The unspecified address has no name where tags do not tell one: zeros are none.
    pub fn host_use(&self) -> impl Iterator<Item = (Address, Used)> {
        let is_told = self.mask.prefix_len() <= host_table::TAG_PREFIX_BITS.into();
        self.hosts.iter().filter_map(move |(tag, (address, host))| {
            // Two prefixes share the words of others, and are listed as those.
            let address = if is_told { host_table::address(*tag) } else { *address };
            (is_told || address.words() != (0, 0)).then(|| (address, host.read()))
        })
    }

    /// What limits have counted.
    pub fn limit_use(&self) -> impl Iterator<Item = (throttle_agent::policy::LimitKey, Used)> {
        self.tables.limits().map(|(key, row)| (key, self.used[row as usize]))
    }

    /// What groups have counted.
    pub fn group_use(&self) -> impl Iterator<Item = (String, Used)> {
        self.tables.groups().map(|(name, row)| (name, self.used[row as usize]))
    }

    /// Whether a packet may be the first of a host that a limit holds.
    pub fn may_make_host(&self, link: usize, hook: Hook, bytes: &[u8]) -> bool {
        let Ok(packet) = packet::parse(bytes, self.links[link].header) else { return false };
        let (host, _) = host_and_peer(&packet, self.direction(link, hook));
        let address = host.host(&self.mask);
        !self.hosts.contains_key(&host_table::tag(address, 0))
            && self.tables.longest(address, Role::Host) != Binding::NO_LIMIT
    }

    fn direction(&self, link: usize, hook: Hook) -> Direction {
        Direction::from_parity(self.links[link].incoming as u32 ^ hook as u32)
    }

    /// What becomes of a packet, which is counted and charged.
    pub fn meet(
        &mut self,
        link: usize,
        hook: Hook,
        bytes: &[u8],
        segments: Segments,
    ) -> Prediction {
        let direction = self.direction(link, hook);
        let buffer = Buffer {
            len_bytes: bytes.len() as u32,
            segment_bytes: segments.size_bytes,
            segments: segments.count,
        };
        let header = self.links[link].header;
        let (verdict, wire, packet) = match packet::parse(bytes, header) {
            Err(cause) => {
                let wire = Wire { bytes: buffer.len_bytes, packets: 1, segment_bytes: 0 };
                (Verdict::plain(cause.into()), wire, None)
            }
            Ok(packet) => {
                let wire = self.measure(link, bytes, &packet, buffer);
                let verdict = if packet.is_exempt(bytes, buffer) {
                    Verdict::plain(Reason::Exempt)
                } else {
                    self.limit(link, direction, &packet, wire)
                };
                (verdict, wire, Some(packet))
            }
        };
        let treated = header::treat(bytes, packet.as_ref(), &verdict);
        let counted = tally(wire);
        let reasons = &mut self.links[link].reasons[direction as usize];
        add(&mut reasons[treated.reason as usize], wire);
        let header::Treated { reason, bytes, mark } = treated;
        Prediction { reason, direction, counted, bytes, mark }
    }

    fn measure(&self, link: usize, bytes: &[u8], packet: &Packet, buffer: Buffer) -> Wire {
        let wire = packet::measure(bytes, packet, buffer);
        // Of merged packets the program passes the measure on as one word.
        let wire = if buffer.segment_bytes == 0 { wire } else { Wire::from_word(wire.to_word()) };
        wire.with_overhead(self.tables.overhead_bytes(link))
    }

    /// Finds the host of a packet and its limit, and charges it.
    fn limit(&mut self, link: usize, direction: Direction, packet: &Packet, wire: Wire) -> Verdict {
        let (host, peer) = host_and_peer(packet, direction);
        if self.tables.longest(peer, Role::Peer) != Binding::NO_LIMIT {
            return Verdict::plain(Reason::ExemptPeer);
        }
        let row = self.tables.link_row(link);
        let address = host.host(&self.mask);
        let tag = host_table::tag(address, 0);
        let found = self.hosts.get(&tag).map(|(_, host)| Rc::clone(host));
        let host = match found {
            Some(host) => host,
            None => {
                let slot = self.tables.longest(address, Role::Host);
                if slot == Binding::NO_LIMIT {
                    return self.no_limit(row, direction, wire);
                }
                if self.tables.get(slot).has(abi::Limit::PASS) {
                    return Verdict::plain(Reason::ExemptPrefix);
                }
                let host = Rc::new(Host::new());
                self.hosts.insert(tag, (address, Rc::clone(&host)));
                host
            }
        };
        let binding = &host.buckets[direction as usize].binding;
        let bound = Binding::from_word(binding.load());
        let (slot, novelty) = if bound.generation == self.generation {
            (bound.slot, Novelty::Known)
        } else {
            let slot = self.tables.longest(address, Role::Host);
            (slot, bind(binding, Binding { generation: self.generation, slot }))
        };
        if slot == Binding::NO_LIMIT {
            return self.no_limit(row, direction, wire);
        }
        if self.tables.get(slot).has(abi::Limit::PASS) {
            return Verdict::plain(Reason::ExemptPrefix);
        }
        self.charge(direction, wire, &Place { slot, row, host: &host, novelty })
    }

    /// A host that no limit holds is charged to its link alone.
    fn no_limit(&self, row: u32, direction: Direction, wire: Wire) -> Verdict {
        let link = self.parent(row, direction);
        let outcome = bucket::admit_alone(&self.clock, &link, Load { direction, wire, phase: 0 });
        Verdict::plain(match outcome.refused {
            Some(Refused::HostPackets) => Reason::LinkPackets,
            Some(_) => Reason::LinkBytes,
            None if outcome.excess.is_none() => Reason::NoLimit,
            None => Reason::Observed,
        })
    }

    fn charge(&mut self, direction: Direction, wire: Wire, place: &Place<'_>) -> Verdict {
        let Place { slot, row, host, novelty } = *place;
        let limit = *self.tables.get(slot);
        let is_shared = limit.has(abi::Limit::SHARED);
        if !is_shared {
            renew(
                &limit,
                slot,
                [0, 1].map(|of| &host.buckets[of]),
                direction,
                novelty,
                Grants::Once,
            );
        }
        let (account, level) = if is_shared {
            let common = &self.common[limit.index as usize];
            common.renew(&limit, slot, direction, Grants::Once);
            (buckets::account(&limit, common.buckets(), direction), Level::Shared)
        } else {
            (buckets::account(&limit, [0, 1].map(|of| &host.buckets[of]), direction), Level::Host)
        };
        let load = Load { direction, wire, phase: 0 };
        let (group, link) = (self.parent(limit.group, direction), self.parent(row, direction));
        // Levels without a limit are charged nothing, which is what the program leaves out.
        let outcome = bucket::admit(&self.clock, &Levels { host: account, group, link }, load);
        let is_excess = outcome.refused.is_some() || outcome.excess.is_of(Excess::HOST);
        host.count(direction, is_excess, wire);
        let verdict = Verdict::of(&limit, direction, level, &outcome, false);
        let of_group = match outcome.refused {
            None => Some(outcome.excess.is_of(Excess::GROUP)),
            Some(Refused::GroupBytes | Refused::GroupPackets) => Some(true),
            Some(_) => None,
        };
        self.count(limit.index, direction, is_excess, wire);
        if let Some(is_excess) = of_group.filter(|_| limit.group != abi::Limit::NO_ROW) {
            self.count(limit.group, direction, is_excess, wire);
        }
        verdict
    }

    /// The account of a group or a link; one without rates when it is not limited.
    fn parent(&self, row: u32, direction: Direction) -> Account<'_, Cell> {
        let slot = self.tables.parent_slot(row);
        let (limit, common) = (self.tables.get(slot), &self.common[row as usize]);
        common.renew(limit, slot, direction, Grants::Never);
        let account = buckets::account(limit, common.buckets(), direction);
        account.in_advance(common.advances[direction as usize].of(row, slot))
    }

    fn count(&mut self, row: u32, direction: Direction, is_excess: bool, wire: Wire) {
        add(&mut self.used[row as usize][direction as usize][usize::from(is_excess)], wire);
    }
}

fn host_and_peer(packet: &Packet, direction: Direction) -> (Address, Address) {
    match direction {
        Direction::Up => (packet.source, packet.destination),
        Direction::Down => (packet.destination, packet.source),
    }
}

fn tally(wire: Wire) -> Tally {
    Tally { packets: wire.packets.into(), bytes: wire.bytes.into() }
}

fn add(to: &mut Tally, wire: Wire) {
    to.packets += u64::from(wire.packets);
    to.bytes += u64::from(wire.bytes);
}
