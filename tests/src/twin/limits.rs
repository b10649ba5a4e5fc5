//! The limits in force, as the program computes with them, and which one holds an address.

use std::net::IpAddr;

use ipnet::IpNet;
use throttle_agent::policy::{
    Action, ByteRate, Group, Limit, LimitKey, LinkLimit, Match, PacketRate, ParentAction, Policy,
    Rates, Scope,
};
use throttle_common::{
    abi::{self, Binding, LimitRates, NAME_BYTES, Role},
    address::{Address, IPV4_BITS},
    rate::{Rate, TICKS_PER_NS},
};

/// All limits. A slot is never used twice, and a row stays with its prefix, group or link.
pub(super) struct Tables {
    slots: Vec<abi::Limit>,
    prefixes: Vec<Prefix>,
    groups: Vec<(String, Parent)>,
    /// By number of the link.
    links: Vec<(Parent, u32)>,
    rows: u32,
}

struct Prefix {
    key: LimitKey,
    slot: u32,
    row: u32,
}

#[derive(Clone, Copy)]
struct Parent {
    row: u32,
    slot: u32,
}

impl Tables {
    /// No limits, for so many links.
    pub(super) fn new(links: usize) -> Self {
        let nothing = bare([Rates::default(); 2], Rates::default(), |rate| rate);
        // The first row stands for those of nobody.
        let mut tables = Self {
            slots: vec![nothing],
            prefixes: Vec::new(),
            groups: Vec::new(),
            links: Vec::new(),
            rows: 1,
        };
        for _ in 0..links {
            let row = tables.row();
            tables.links.push((Parent { row, slot: abi::Limit::UNLIMITED_SLOT }, 0));
        }
        tables
    }

    /// Puts the first policy in force, on links of these names.
    pub(super) fn apply(&mut self, policy: &Policy, names: &[&str]) {
        for group in &policy.groups {
            let parent = Parent { row: self.row(), slot: self.fill(of_group(group)) };
            self.groups.push((group.name.to_string(), parent));
        }
        for (number, name) in names.iter().enumerate() {
            if let Some(limit) = policy.links.get(*name) {
                let slot = self.fill(of_link(limit));
                let (parent, overhead_bytes) = &mut self.links[number];
                parent.slot = slot;
                *overhead_bytes = limit.overhead_bytes.into();
            }
        }
        policy.limits.iter().for_each(|limit| self.set(limit));
    }

    /// Puts a limit in force, in a slot of its own.
    pub(super) fn set(&mut self, limit: &Limit) {
        let group = limit.group.as_ref().map_or(abi::Limit::NO_ROW, |name| {
            let found = self.groups.iter().find(|(found, _)| found == name.as_str());
            found.expect("a group that the policy has").1.row
        });
        let known = self.prefixes.iter().position(|prefix| prefix.key == limit.key());
        let row = match known {
            Some(at) => self.prefixes[at].row,
            None => self.row(),
        };
        let slot = self.fill(abi::Limit { index: row, ..of_limit(limit, group) });
        match known {
            Some(at) => self.prefixes[at].slot = slot,
            None => self.prefixes.push(Prefix { key: limit.key(), slot, row }),
        }
    }

    /// The limit in a slot.
    pub(super) fn get(&self, slot: u32) -> &abi::Limit {
        &self.slots[slot as usize]
    }

    /// Slot of the limit with the longest prefix that holds an address in a role.
    pub(super) fn longest(&self, address: Address, role: Role) -> u32 {
        let holding = self.prefixes.iter().filter(|prefix| {
            let is_role = (prefix.key.matches == Match::Peer) == (role == Role::Peer);
            is_role && holds(&prefix.key.prefix, address)
        });
        let longest = holding.max_by_key(|prefix| prefix.key.prefix.prefix_len());
        longest.map_or(Binding::NO_LIMIT, |prefix| prefix.slot)
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The row of a link.
    pub(super) fn link_row(&self, link: usize) -> u32 {
        self.links[link].0.row
    }

    /// Bytes that a link adds to each packet.
    pub(super) fn overhead_bytes(&self, link: usize) -> u32 {
        self.links[link].1
    }

    /// Slot of the limit of the group or link that has a row.
    pub(super) fn parent_slot(&self, row: u32) -> u32 {
        let links = self.links.iter().map(|(parent, _)| parent);
        let mut all = self.groups.iter().map(|(_, parent)| parent).chain(links);
        let found = all.find(|parent| parent.row == row);
        found.map_or(abi::Limit::UNLIMITED_SLOT, |parent| parent.slot)
    }

    /// Limits with their rows.
    pub(super) fn limits(&self) -> impl Iterator<Item = (LimitKey, u32)> {
        self.prefixes.iter().map(|prefix| (prefix.key, prefix.row))
    }

    /// Groups with their rows.
    pub(super) fn groups(&self) -> impl Iterator<Item = (String, u32)> {
        self.groups.iter().map(|(name, parent)| (name.clone(), parent.row))
    }

    fn row(&mut self) -> u32 {
        self.rows += 1;
        self.rows - 1
    }

    fn fill(&mut self, limit: abi::Limit) -> u32 {
        self.slots.push(limit);
        self.slots.len() as u32 - 1
    }
}

/// Whether a prefix holds an address; an IPv6 prefix holds no IPv4 address in its IPv6 form.
fn holds(prefix: &IpNet, address: Address) -> bool {
    let (is_ipv4, octets, bits) = match prefix.network() {
        IpAddr::V4(network) => (true, network.to_ipv6_mapped().octets(), IPV4_BITS),
        IpAddr::V6(network) => (false, network.octets(), 0),
    };
    let bits = bits + u32::from(prefix.prefix_len());
    let differing = u128::from_be_bytes(octets) ^ u128::from_be_bytes(address.octets());
    is_ipv4 == address.is_ipv4() && differing.leading_zeros() >= bits
}

fn of_limit(limit: &Limit, group: u32) -> abi::Limit {
    let (flag, action_value) = match limit.action {
        Action::Drop => (0, 0),
        Action::Ecn => (abi::Limit::ECN, 0),
        Action::Dscp(class) => (abi::Limit::DSCP, class.value().into()),
        Action::Mark(mark) => (abi::Limit::MARK, mark),
        Action::Pace { .. } => (abi::Limit::PACE, 0),
        Action::Observe => (abi::Limit::OBSERVE, 0),
        Action::Pass => (abi::Limit::PASS, 0),
    };
    let shared = if limit.scope == Scope::Shared { abi::Limit::SHARED } else { 0 };
    let mark = |rate: Rate| match limit.action {
        Action::Ecn => rate.marking_from_half(),
        Action::Pace { ecn_above: Some(time) } => {
            rate.marking_from(time.nanoseconds() * TICKS_PER_NS)
        }
        Action::Drop
        | Action::Dscp(_)
        | Action::Mark(_)
        | Action::Pace { ecn_above: None }
        | Action::Observe
        | Action::Pass => rate,
    };
    let bare = bare([limit.up, limit.down], limit.total, mark);
    let one_time = limit.one_time_burst.map_or(0, |size| size.bytes());
    let mut one_time_ticks = [limit.up, limit.down].map(|rates| {
        let rate = rates.bytes.or(limit.total.bytes).map(of_bytes);
        let granted = rate.map(|rate| rate.with_burst_units(one_time).expect("a short burst"));
        granted.map_or(0, |rate| rate.burst_ticks)
    });
    if limit.total.bytes.is_some() {
        one_time_ticks[1] = 0;
    }
    abi::Limit {
        flags: bare.flags | flag | shared,
        group,
        action_value,
        packet_unit_bytes: limit.packet_unit.map_or(0, |unit| unit.bytes() as u32),
        one_time_ticks,
        ..bare
    }
}

fn of_group(group: &Group) -> abi::Limit {
    let bare = bare([group.up, group.down], group.total, |rate| rate);
    abi::Limit { flags: bare.flags | of_parent(group.action), ..bare }
}

fn of_link(link: &LinkLimit) -> abi::Limit {
    let bare = bare([link.up, link.down], link.total, |rate| rate);
    abi::Limit { flags: bare.flags | of_parent(link.action), ..bare }
}

fn of_parent(action: ParentAction) -> u32 {
    match action {
        ParentAction::Drop => 0,
        ParentAction::Observe => abi::Limit::OBSERVE,
    }
}

/// A limit of nothing but rates.
fn bare(directions: [Rates; 2], total: Rates, mark: impl Fn(Rate) -> Rate) -> abi::Limit {
    let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
    let rates = directions.map(|rates| {
        let bytes =
            rates.bytes.or(total.bytes).map_or(Rate::UNLIMITED, |rate| mark(of_bytes(rate)));
        let packets = rates.packets.or(total.packets);
        let packets = packets.map_or(Rate::UNLIMITED, |rate| mark(of_packets(rate)));
        LimitRates { bytes, packets }
    });
    abi::Limit {
        flags: flag(total.bytes.is_some(), abi::Limit::TOTAL_BYTES)
            | flag(total.packets.is_some(), abi::Limit::TOTAL_PACKETS),
        index: 0,
        group: abi::Limit::NO_ROW,
        action_value: 0,
        packet_unit_bytes: 0,
        prefix_bits: 0,
        one_time_ticks: [0; 2],
        prefix: Address::from_words(0, 0),
        zero: 0,
        rates,
        asked: Default::default(),
        one_time_bytes: 0,
        ecn_above_ns: 0,
        name: [0; NAME_BYTES],
        unused: [0; 6],
    }
}

fn of_bytes(rate: ByteRate) -> Rate {
    let burst = rate.burst.bytes();
    let computed = match rate.refill {
        Some(time) => Rate::refilled(burst, time.nanoseconds()),
        None => Rate::bytes(rate.rate.bits_per_second(), burst),
    };
    computed.expect("a rate within bounds")
}

fn of_packets(rate: PacketRate) -> Rate {
    let burst = rate.burst_packets;
    let computed = match rate.refill {
        Some(time) => Rate::refilled(burst, time.nanoseconds()),
        None => Rate::packets(rate.rate.packets_per_second(), burst),
    };
    computed.expect("a rate within bounds")
}
