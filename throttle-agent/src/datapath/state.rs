//! What the datapath reports: links, limits and hosts with their counters.

use std::{collections::BTreeSet, net::IpAddr, ops::Range};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::{
    abi::{self, Side},
    cell::{AtomicWord, Cell},
    units::Span,
    verdict::Reason,
};

use crate::policy::{GroupName, Limit, Match, Rates};

/// How a link's program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    /// A pinned TCX link.
    Tcx,
    /// A filter of the clsact qdisc.
    Clsact,
}

/// One interface that the program is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// Name of the interface, or `None` when the interface is gone.
    pub interface: Option<String>,
    /// Index of the interface in the instance's network namespace.
    pub ifindex: u32,
    /// Where the hosts are, seen from the link.
    pub side: Side,
    /// How the program is attached.
    pub hook: HookKind,
    /// Where a limit paces: whether the link's egress qdisc is fq on every queue, without which
    /// packets are not delayed and the limit polices.
    pub pace_ready: Option<bool>,
    /// What fq holds, where a limit paces and every queue has it.
    pub fq: Option<FqRoom>,
}

/// Where a program is among those of its hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = PositionView)]
pub enum Position {
    /// In the chain of TCX programs.
    Tcx {
        /// The how many-th it is, from 1 on.
        place: u32,
        /// How many there are.
        of: u32,
    },
    /// Among the filters of clsact.
    Clsact {
        /// Its priority: lower ones come first.
        priority: u16,
        /// Its handle.
        handle: u32,
    },
}

/// A link and what is attached to its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// The link.
    pub status: LinkStatus,
    /// Where its program is at ingress; `None` when it is gone.
    pub ingress: Option<Position>,
    /// Where its program is at egress; `None` when it is gone.
    pub egress: Option<Position>,
    /// Names of other instances that are attached to its interface.
    pub other_instances: BTreeSet<String>,
}

/// What fq on a link holds at most; of several queues, the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FqRoom {
    /// Packets in all.
    pub packets: u32,
    /// Packets of one flow.
    pub flow_packets: u32,
    /// How long a packet may wait.
    pub horizon: Span,
    /// Whether packets that would wait longer are dropped; else they leave early.
    pub drops_beyond_horizon: bool,
    /// The major number of the mq under which every queue has an fq of its own.
    pub mq: Option<u16>,
}

impl FqRoom {
    /// Room for everything.
    pub(super) const UNBOUNDED: Self = Self {
        packets: u32::MAX,
        flow_packets: u32::MAX,
        horizon: Span::from_nanoseconds(u64::MAX),
        drops_beyond_horizon: false,
        mq: None,
    };

    /// What both hold.
    pub(super) fn least(self, other: Self) -> Self {
        Self {
            packets: self.packets.min(other.packets),
            flow_packets: self.flow_packets.min(other.flow_packets),
            horizon: self.horizon.min(other.horizon),
            drops_beyond_horizon: self.drops_beyond_horizon || other.drops_beyond_horizon,
            mq: self.mq,
        }
    }
}

/// Packets and bytes of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Wire packets.
    pub packets: u64,
    /// Layer-3 bytes as on the wire.
    pub bytes: u64,
}

impl Tally {
    /// What two counters of shared memory hold.
    pub(super) fn read(packets: &Cell, bytes: &Cell) -> Self {
        Self { packets: packets.load(), bytes: bytes.load() }
    }

    /// The sum with what one processor has counted.
    pub(super) fn plus(self, cpu: &abi::Tally) -> Self {
        Self { packets: self.packets + cpu.packets, bytes: self.bytes + cpu.bytes }
    }
}

/// Packets that a bucket let pass, and those it had no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Packets that conformed.
    pub passed: Tally,
    /// Packets that found no room.
    pub excess: Tally,
    /// Time until the next packet conforms, in nanoseconds; 0 when one does now.
    pub wait_ns: u64,
}

/// Counters of one link, by direction and reason.
#[derive(Debug, Clone)]
pub struct LinkCounters {
    /// The link.
    pub link: LinkStatus,
    /// Packets sent by hosts, one tally per reason, in the order of [`Reason::ALL`].
    pub up: [Tally; Reason::COUNT],
    /// Packets sent to hosts, one tally per reason, in the order of [`Reason::ALL`].
    pub down: [Tally; Reason::COUNT],
}

/// Counters of one limit, summed over its hosts and over all processors.
#[derive(Debug, Clone)]
pub struct LimitCounters {
    /// The limit's prefix.
    pub prefix: IpNet,
    /// Whose address the prefix is compared with.
    pub matches: Match,
    /// Packets sent by its hosts.
    pub up: Usage,
    /// Packets sent to its hosts.
    pub down: Usage,
}

/// Counters of one group, summed over its members and over all processors.
#[derive(Debug, Clone)]
pub struct GroupCounters {
    /// The group's name.
    pub name: GroupName,
    /// Packets sent by its hosts; those that another level refused are not counted.
    pub up: Usage,
    /// Packets sent to its hosts; those that another level refused are not counted.
    pub down: Usage,
}

/// Where in the host table a host is, for as long as it stays there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostPlace {
    /// The number of its way. Once the host is removed, the way may go to another one.
    pub way: u32,
    /// What tells the host from all others that may have the way; never 0.
    pub tag: u64,
}

/// Counters of one host, in the order up and down.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostReading {
    /// Where it is.
    pub place: HostPlace,
    /// Packets that conformed.
    pub passed: [Tally; 2],
    /// Packets that found no room.
    pub excess: [Tally; 2],
}

/// The host table for reading its counters, without the datapath and beside it.
pub trait HostSource: Send + Sync {
    /// Number of ways: hosts that the table has room for.
    fn ways(&self) -> u32;

    /// Passes on the hosts in `ways`, in their order.
    fn read(&self, ways: Range<u32>, each: &mut dyn FnMut(&HostReading));
}

/// One host of the host table.
#[derive(Debug, Clone)]
pub struct HostState {
    /// Where in the table it is.
    pub place: HostPlace,
    /// The host's address; for IPv6 the first address of its host prefix.
    pub address: IpAddr,
    /// The limit that holds it, or `None` when its limit was deleted and no other matches.
    pub limit: Option<IpNet>,
    /// The group that the limit is a member of.
    pub group: Option<GroupName>,
    /// Packets sent by the host.
    pub up: Usage,
    /// Packets sent to the host.
    pub down: Usage,
    /// Up and down, the last packet that found no room; `None` when there never was one.
    pub last_excess: [Option<LastExcess>; 2],
    /// Time since the last packet, in nanoseconds, or `None` when there was none yet.
    pub idle_ns: Option<u64>,
}

/// The last packet of a host that found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastExcess {
    /// Why it found none.
    pub reason: Reason,
    /// Time since, in nanoseconds, to 1.07 s.
    pub ago_ns: u64,
}

/// Where a host is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the host table.
    Table,
    /// Not in the host table, and hosts of its limit that have no room there owe.
    Overflow,
    /// Not in the host table: no packet of it came lately.
    Absent,
}

/// Everything that decides about a host's next packet.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The host's address; for IPv6 the first address of its host prefix.
    pub address: IpAddr,
    /// Where it is kept.
    pub place: Place,
    /// Its counters, if it is in the host table.
    pub state: Option<HostState>,
    /// The limit that holds it, or would with its first packet.
    pub limit: Option<Limit>,
    /// The prefixes of limits that hold it, longest first.
    pub holding: Vec<IpNet>,
    /// Prefixes to and from which packets are exempt.
    pub exempt_peers: Vec<IpNet>,
    /// What its packets are charged to; of links, all that are limited.
    pub levels: Vec<LevelState>,
}

/// Buckets that a packet is charged to.
#[derive(Debug, Clone)]
pub struct LevelState {
    /// Whose they are.
    pub name: LevelName,
    /// Up and down.
    pub flows: [LevelFlow; 2],
    /// Whether the bucket of bytes, and that of packets, is for both directions together.
    pub is_total: [bool; 2],
}

/// Whose buckets they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LevelName {
    /// The host's own.
    Host,
    /// Those that all of a prefix shares.
    Prefix(IpNet),
    /// Those of hosts that the host table has no room for.
    Overflow,
    /// A group's.
    Group(GroupName),
    /// A link's, by its interface.
    Link(String),
}

/// The buckets of one direction.
#[derive(Debug, Clone, Copy)]
pub struct LevelFlow {
    /// What they are held to.
    pub rates: Rates,
    /// That of bytes, if they are limited.
    pub bytes: Option<BucketState>,
    /// That of packets, if they are limited.
    pub packets: Option<BucketState>,
    /// Time until the next packet conforms to both, in nanoseconds.
    pub wait_ns: u64,
}

/// What is in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketState {
    /// Time until it has drained, in nanoseconds.
    pub debt_ns: u64,
    /// Debt up to which packets conform, in nanoseconds.
    pub burst_ns: u64,
    /// What is left of a burst that is granted once, in nanoseconds.
    pub credit_ns: u64,
}

/// One reading of every counter that is not per host.
#[derive(Debug, Clone)]
pub struct Counters {
    /// Per link, by direction and reason.
    pub links: Vec<LinkCounters>,
    /// Per limit, in the order of [`Datapath::limits`](super::Datapath::limits).
    pub limits: Vec<LimitCounters>,
    /// Per group, in the order of [`Datapath::groups`](super::Datapath::groups).
    pub groups: Vec<GroupCounters>,
    /// Hosts in the host table.
    pub hosts_tracked: u64,
    /// Hosts that the table has room for.
    pub hosts_capacity: u64,
    /// Number of the policy in force.
    pub generation: u32,
}

/// What setting a limit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The prefix had no limit.
    Created,
    /// The prefix had another limit.
    Replaced,
    /// The prefix had this very limit.
    Unchanged,
}

/// What applying a whole policy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Limits of prefixes that are new or changed.
    pub limits_set: usize,
    /// Limits of prefixes that are gone.
    pub limits_deleted: usize,
    /// Groups that are new or changed.
    pub groups_set: usize,
    /// Groups that are gone.
    pub groups_deleted: usize,
    /// Links whose limit is new, changed or gone.
    pub links_set: usize,
}
