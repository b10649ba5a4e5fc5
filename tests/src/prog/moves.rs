//! Which counters one packet moves, and that it moves no others.

use std::collections::BTreeMap;
use std::net::IpAddr;

use throttle_agent::datapath::{Counters, HostState, Tally, Usage};
use throttle_agent::policy::LimitKey;
use throttle_common::abi::Direction;
use throttle_common::verdict::Reason;

use super::Segments;

/// How a counter that tells them apart takes a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// There was room for it.
    Passed,
    /// There was none.
    Excess,
}

/// All that one packet moves.
#[derive(Debug, Clone)]
pub struct Moves<'a> {
    pub(super) reason: Reason,
    pub(super) segments: Segments,
    direction: Direction,
    tally: Tally,
    made: Option<&'a str>,
    host: Option<(&'a str, Fate)>,
    limit: Option<(&'a str, Fate)>,
    group: Option<(&'a str, Fate)>,
}

impl<'a> Moves<'a> {
    /// The counter of a reason and nothing else, by one packet of `bytes` bytes.
    pub fn new(direction: Direction, reason: Reason, bytes: u64) -> Self {
        let tally = Tally { packets: 1, bytes };
        let segments = Segments::default();
        let (made, host, limit, group) = (None, None, None, None);
        Self { reason, segments, direction, tally, made, host, limit, group }
    }

    /// As [`new`](Self::new), for a packet that a host sends.
    pub fn up(reason: Reason, bytes: u64) -> Self {
        Self::new(Direction::Up, reason, bytes)
    }

    /// As [`new`](Self::new), for a packet that is sent to a host.
    pub fn down(reason: Reason, bytes: u64) -> Self {
        Self::new(Direction::Down, reason, bytes)
    }

    /// For a buffer that holds `packets` wire packets.
    #[must_use]
    pub fn segments(mut self, segments: Segments, packets: u64) -> Self {
        self.segments = segments;
        self.tally.packets = packets;
        self
    }

    /// Also the counters of a host and of the limit that holds it.
    #[must_use]
    pub fn held(mut self, host: &'a str, prefix: &'a str, fate: Fate) -> Self {
        (self.host, self.limit) = (Some((host, fate)), Some((prefix, fate)));
        self
    }

    /// Also adds a host to the table that counts nothing.
    #[must_use]
    pub fn makes(mut self, host: &'a str) -> Self {
        self.made = Some(host);
        self
    }

    /// Also the counters of a limit whose host is not in the table.
    #[must_use]
    pub fn overflows(mut self, prefix: &'a str, fate: Fate) -> Self {
        self.limit = Some((prefix, fate));
        self
    }

    /// Also the counters of a group.
    #[must_use]
    pub fn group(mut self, name: &'a str, fate: Fate) -> Self {
        self.group = Some((name, fate));
        self
    }
}

/// Packets that passed and that found no room, per direction.
type Used = [[Tally; 2]; 2];

/// What every counter stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    reasons: Vec<[[Tally; Reason::COUNT]; 2]>,
    hosts: BTreeMap<IpAddr, Used>,
    limits: BTreeMap<LimitKey, Used>,
    groups: BTreeMap<String, Used>,
}

impl Standing {
    pub(super) fn of(counters: &Counters, hosts: &[HostState]) -> Self {
        let used = |up: &Usage, down: &Usage| [up, down].map(|usage| [usage.passed, usage.excess]);
        let key = |prefix, matches| LimitKey { prefix, matches };
        Self {
            reasons: counters.links.iter().map(|link| [link.up, link.down]).collect(),
            hosts: hosts.iter().map(|host| (host.address, used(&host.up, &host.down))).collect(),
            limits: (counters.limits.iter())
                .map(|limit| (key(limit.prefix, limit.matches), used(&limit.up, &limit.down)))
                .collect(),
            groups: (counters.groups.iter())
                .map(|group| (group.name.to_string(), used(&group.up, &group.down)))
                .collect(),
        }
    }

    /// What they stand at after a packet.
    #[track_caller]
    pub(super) fn after(mut self, moves: &Moves<'_>) -> Self {
        let direction = moves.direction as usize;
        let add = |to: &mut Tally| {
            to.packets += moves.tally.packets;
            to.bytes += moves.tally.bytes;
        };
        add(&mut self.reasons[0][direction][moves.reason as usize]);
        if let Some(address) = moves.made {
            self.hosts.insert(address.parse().expect("an address"), Used::default());
        }
        if let Some((address, fate)) = moves.host {
            // A host that is not in the table yet is made.
            let host = self.hosts.entry(address.parse().expect("an address")).or_default();
            add(&mut host[direction][fate as usize]);
        }
        if let Some((prefix, fate)) = moves.limit {
            let key = LimitKey::host(prefix.parse().expect("a prefix"));
            let limit = self.limits.get_mut(&key).expect("the limit is in force");
            add(&mut limit[direction][fate as usize]);
        }
        if let Some((name, fate)) = moves.group {
            let group = self.groups.get_mut(name).expect("the group is in force");
            add(&mut group[direction][fate as usize]);
        }
        self
    }
}
