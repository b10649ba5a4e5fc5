//! What the datapath decides about a packet, and the name and counter of each reason.

use crate::{
    abi::{Direction, Limit},
    bucket::{Excess, Outcome, Refused},
    packet::NoAddresses,
};

/// Why a packet passed or was refused. Every packet has exactly one reason and every reason a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Reason {
    /// Passed: every bucket had room.
    Conforms = 0,
    /// Passed: no limit's prefix holds the host.
    NoLimit = 1,
    /// Passed: multicast, 255.255.255.255, link-local or neighbour discovery.
    Exempt = 2,
    /// Passed: neither IPv4 nor IPv6.
    NotIp = 3,
    /// Passed: too short for the addresses its headers announce, or of an impossible IP version.
    Malformed = 4,
    /// Passed: every bucket had room, the host being charged to an overflow bucket.
    OverflowConforms = 5,
    /// Passed: the host's limit exempts it.
    ExemptPrefix = 6,
    /// Passed: the other address is exempt.
    ExemptPeer = 7,
    /// Passed with a CE mark: the debt was beyond the mark of the rate.
    EcnMarked = 8,
    /// Passed as excess, with another DSCP.
    DscpMarked = 9,
    /// Passed as excess, with a mark on the socket buffer.
    SkbMarked = 10,
    /// Passed with a departure time in the future.
    Paced = 11,
    /// Passed as excess that is only counted.
    Observed = 12,
    /// Refused: the host's byte bucket had no room.
    HostBytes = 13,
    /// Refused: the host's packet bucket had no room.
    HostPackets = 14,
    /// Refused: the byte bucket that a whole prefix shares had no room.
    SharedBytes = 15,
    /// Refused: the packet bucket that a whole prefix shares had no room.
    SharedPackets = 16,
    /// Refused: the host is not in the host table and its overflow byte bucket had no room.
    OverflowBytes = 17,
    /// Refused: the host is not in the host table and its overflow packet bucket had no room.
    OverflowPackets = 18,
    /// Refused: the group's byte bucket had no room.
    GroupBytes = 19,
    /// Refused: the group's packet bucket had no room.
    GroupPackets = 20,
    /// Refused: the link's byte bucket had no room.
    LinkBytes = 21,
    /// Refused: the link's packet bucket had no room.
    LinkPackets = 22,
    /// Refused: a table that cannot miss did; the agent and the program disagree on their layout.
    Internal = 23,
}

impl Reason {
    /// Number of reasons.
    pub const COUNT: usize = Self::ALL.len();

    /// Every reason, in the order of its counter.
    pub const ALL: [Self; 24] = [
        Self::Conforms,
        Self::NoLimit,
        Self::Exempt,
        Self::NotIp,
        Self::Malformed,
        Self::OverflowConforms,
        Self::ExemptPrefix,
        Self::ExemptPeer,
        Self::EcnMarked,
        Self::DscpMarked,
        Self::SkbMarked,
        Self::Paced,
        Self::Observed,
        Self::HostBytes,
        Self::HostPackets,
        Self::SharedBytes,
        Self::SharedPackets,
        Self::OverflowBytes,
        Self::OverflowPackets,
        Self::GroupBytes,
        Self::GroupPackets,
        Self::LinkBytes,
        Self::LinkPackets,
        Self::Internal,
    ];

    /// The reason of a number that was made of one.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        if number >= Self::COUNT as u32 {
            return Self::Internal;
        }
        // SAFETY: the reasons are numbered from 0 on without a gap, as asserted below.
        unsafe { core::mem::transmute::<u32, Self>(number) }
    }

    /// Whether the packet is refused.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::Conforms
            | Self::NoLimit
            | Self::Exempt
            | Self::NotIp
            | Self::Malformed
            | Self::OverflowConforms
            | Self::ExemptPrefix
            | Self::ExemptPeer
            | Self::EcnMarked
            | Self::DscpMarked
            | Self::SkbMarked
            | Self::Paced
            | Self::Observed => false,
            Self::HostBytes
            | Self::HostPackets
            | Self::SharedBytes
            | Self::SharedPackets
            | Self::OverflowBytes
            | Self::OverflowPackets
            | Self::GroupBytes
            | Self::GroupPackets
            | Self::LinkBytes
            | Self::LinkPackets
            | Self::Internal => true,
        }
    }

    /// Whether the packet is excess: a bucket had no room for it, whatever was done with it.
    #[inline(always)]
    #[must_use]
    pub const fn is_excess(self) -> bool {
        match self {
            Self::DscpMarked | Self::SkbMarked | Self::Observed => true,
            // No bucket was looked at.
            Self::Internal => false,
            Self::Conforms
            | Self::NoLimit
            | Self::Exempt
            | Self::NotIp
            | Self::Malformed
            | Self::OverflowConforms
            | Self::ExemptPrefix
            | Self::ExemptPeer
            | Self::EcnMarked
            | Self::Paced
            | Self::HostBytes
            | Self::HostPackets
            | Self::SharedBytes
            | Self::SharedPackets
            | Self::OverflowBytes
            | Self::OverflowPackets
            | Self::GroupBytes
            | Self::GroupPackets
            | Self::LinkBytes
            | Self::LinkPackets => self.refuses(),
        }
    }

    /// The name used in JSON, tables and documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::NoLimit => "no_limit",
            Self::Exempt => "exempt",
            Self::NotIp => "not_ip",
            Self::Malformed => "malformed",
            Self::OverflowConforms => "overflow_conforms",
            Self::ExemptPrefix => "exempt_prefix",
            Self::ExemptPeer => "exempt_peer",
            Self::EcnMarked => "ecn_marked",
            Self::DscpMarked => "dscp_marked",
            Self::SkbMarked => "skb_marked",
            Self::Paced => "paced",
            Self::Observed => "observed",
            Self::HostBytes => "host_bytes",
            Self::HostPackets => "host_packets",
            Self::SharedBytes => "shared_bytes",
            Self::SharedPackets => "shared_packets",
            Self::OverflowBytes => "overflow_bytes",
            Self::OverflowPackets => "overflow_packets",
            Self::GroupBytes => "group_bytes",
            Self::GroupPackets => "group_packets",
            Self::LinkBytes => "link_bytes",
            Self::LinkPackets => "link_packets",
            Self::Internal => "internal",
        }
    }
}

const _: () = {
    let mut number = 0;
    while number < Reason::COUNT {
        assert!(Reason::ALL[number] as usize == number);
        number += 1;
    }
};

impl From<NoAddresses> for Reason {
    #[inline(always)]
    fn from(cause: NoAddresses) -> Self {
        match cause {
            NoAddresses::NotIp => Self::NotIp,
            NoAddresses::Malformed => Self::Malformed,
        }
    }
}

/// Whose buckets a packet is charged to at the host's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The host's own.
    Host,
    /// Those that a prefix shares.
    Shared,
    /// Those of hosts that the host table has no room for.
    Overflow,
}

impl Level {
    /// The reason for a packet that every bucket had room for.
    #[inline(always)]
    #[must_use]
    pub const fn conforms(self) -> Reason {
        match self {
            Self::Host | Self::Shared => Reason::Conforms,
            Self::Overflow => Reason::OverflowConforms,
        }
    }

    /// The reason for a packet that was refused.
    #[inline(always)]
    #[must_use]
    pub const fn refused(self, by: Refused) -> Reason {
        match (self, by) {
            (Self::Host, Refused::HostBytes) => Reason::HostBytes,
            (Self::Host, Refused::HostPackets) => Reason::HostPackets,
            (Self::Shared, Refused::HostBytes) => Reason::SharedBytes,
            (Self::Shared, Refused::HostPackets) => Reason::SharedPackets,
            (Self::Overflow, Refused::HostBytes) => Reason::OverflowBytes,
            (Self::Overflow, Refused::HostPackets) => Reason::OverflowPackets,
            (_, Refused::GroupBytes) => Reason::GroupBytes,
            (_, Refused::GroupPackets) => Reason::GroupPackets,
            (_, Refused::LinkBytes) => Reason::LinkBytes,
            (_, Refused::LinkPackets) => Reason::LinkPackets,
        }
    }
}

/// What is done to a packet that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing.
    None,
    /// It is marked CE if its sender takes part in ECN.
    Ce,
    /// It gets a DSCP, the value.
    Dscp,
    /// Its socket buffer gets a mark, the value.
    Mark,
    /// It leaves at a time in ticks, the value.
    Pace,
    /// As [`Pace`](Self::Pace), and it is marked CE if its sender takes part in ECN.
    PaceCe,
}

/// A reason, and what is done to the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Why it passes or is refused.
    pub reason: Reason,
    /// What is done to it.
    pub treatment: Treatment,
    /// What the treatment sets; 0 where it sets nothing.
    pub value: u64,
    /// Why it passes where that cannot be done to it, as when its sender takes no part in ECN.
    pub untreated: Reason,
}

impl Verdict {
    /// Nothing is done to the packet.
    #[inline(always)]
    #[must_use]
    pub const fn plain(reason: Reason) -> Self {
        Self { reason, treatment: Treatment::None, value: 0, untreated: reason }
    }

    /// What becomes of a packet, by the action of its limit. Where `can_pace` is false, packets are
    /// not delayed and a limit that paces polices.
    #[inline(always)]
    #[must_use]
    pub fn of(
        limit: &Limit,
        direction: Direction,
        level: Level,
        outcome: &Outcome,
        can_pace: bool,
    ) -> Self {
        let Outcome { refused, excess, debts, now } = outcome;
        if let Some(by) = refused {
            return Self::plain(level.refused(*by));
        }
        if !excess.is_none() {
            return Self::of_excess(limit, excess.is_of(Excess::HOST));
        }
        let untreated = level.conforms();
        if !limit.has(Limit::ECN | Limit::PACE) {
            return Self::plain(untreated);
        }
        let rates = &limit.rates[direction as usize];
        let ce = debts.are_beyond_mark(&rates.bytes, &rates.packets);
        if limit.has(Limit::ECN) && ce {
            let (reason, treatment) = (Reason::EcnMarked, Treatment::Ce);
            return Self { reason, treatment, value: 0, untreated };
        }
        if limit.has(Limit::PACE) && can_pace && debts.longer() > 0 {
            let treatment = if ce { Treatment::PaceCe } else { Treatment::Pace };
            let value = now + debts.longer();
            return Self { reason: Reason::Paced, treatment, value, untreated };
        }
        Self::plain(untreated)
    }

    /// Excess of a parent is only counted.
    #[inline(always)]
    fn of_excess(limit: &Limit, is_hosts_own: bool) -> Self {
        let untreated = Reason::Observed;
        if is_hosts_own && limit.has(Limit::DSCP) {
            let (reason, treatment) = (Reason::DscpMarked, Treatment::Dscp);
            return Self { reason, treatment, value: limit.action_value.into(), untreated };
        }
        if is_hosts_own && limit.has(Limit::MARK) {
            let (reason, treatment) = (Reason::SkbMarked, Treatment::Mark);
            return Self { reason, treatment, value: limit.action_value.into(), untreated };
        }
        Self::plain(untreated)
    }
}

#[cfg(test)]
mod tests;
