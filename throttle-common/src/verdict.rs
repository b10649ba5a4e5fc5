//! What the datapath decides about a packet, and the name and counter of each reason.

use crate::{bucket::Kind, packet::NoAddresses};

/// Why a packet passed or was refused. Every packet has exactly one reason and every reason a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Reason {
    /// Passed: every bucket had room.
    Conforms = 0,
    /// Passed: no limit's prefix holds the host.
    NoLimit = 1,
    /// Passed: multicast, broadcast or link-local.
    Exempt = 2,
    /// Passed: neither IPv4 nor IPv6.
    NotIp = 3,
    /// Passed: too short for the addresses its headers announce, or of an impossible IP version.
    Malformed = 4,
    /// Refused: the host's byte bucket had no room.
    HostBytes = 5,
    /// Refused: the host's packet bucket had no room.
    HostPackets = 6,
    /// Refused: the byte bucket that a whole prefix shares had no room.
    SharedBytes = 7,
    /// Refused: the packet bucket that a whole prefix shares had no room.
    SharedPackets = 8,
    /// Refused: the host is not in the full host table and its overflow byte bucket had no room.
    OverflowBytes = 9,
    /// Refused: the host is not in the full host table and its overflow packet bucket had no room.
    OverflowPackets = 10,
    /// Refused: a table that cannot miss did; the agent and the program disagree on their layout.
    Internal = 11,
    /// Passed: every bucket had room, the host being charged to an overflow bucket.
    OverflowConforms = 12,
}

impl Reason {
    /// Number of reasons.
    pub const COUNT: usize = Self::ALL.len();

    /// Every reason, in the order of its counter.
    pub const ALL: [Self; 13] = [
        Self::Conforms,
        Self::NoLimit,
        Self::Exempt,
        Self::NotIp,
        Self::Malformed,
        Self::HostBytes,
        Self::HostPackets,
        Self::SharedBytes,
        Self::SharedPackets,
        Self::OverflowBytes,
        Self::OverflowPackets,
        Self::Internal,
        Self::OverflowConforms,
    ];

    /// Whether the packet is refused.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::Conforms
            | Self::NoLimit
            | Self::Exempt
            | Self::NotIp
            | Self::Malformed
            | Self::OverflowConforms => false,
            Self::HostBytes
            | Self::HostPackets
            | Self::SharedBytes
            | Self::SharedPackets
            | Self::OverflowBytes
            | Self::OverflowPackets
            | Self::Internal => true,
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
            Self::HostBytes => "host_bytes",
            Self::HostPackets => "host_packets",
            Self::SharedBytes => "shared_bytes",
            Self::SharedPackets => "shared_packets",
            Self::OverflowBytes => "overflow_bytes",
            Self::OverflowPackets => "overflow_packets",
            Self::Internal => "internal",
            Self::OverflowConforms => "overflow_conforms",
        }
    }
}

impl From<NoAddresses> for Reason {
    #[inline(always)]
    fn from(cause: NoAddresses) -> Self {
        match cause {
            NoAddresses::NotIp => Self::NotIp,
            NoAddresses::Malformed => Self::Malformed,
        }
    }
}

/// Whose buckets a packet is charged to.
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
    /// The reason for a packet that the level's buckets had room for, or not.
    #[inline(always)]
    #[must_use]
    pub const fn reason(self, outcome: Result<(), Kind>) -> Reason {
        match (self, outcome) {
            (Self::Host | Self::Shared, Ok(())) => Reason::Conforms,
            (Self::Overflow, Ok(())) => Reason::OverflowConforms,
            (Self::Host, Err(Kind::Bytes)) => Reason::HostBytes,
            (Self::Host, Err(Kind::Packets)) => Reason::HostPackets,
            (Self::Shared, Err(Kind::Bytes)) => Reason::SharedBytes,
            (Self::Shared, Err(Kind::Packets)) => Reason::SharedPackets,
            (Self::Overflow, Err(Kind::Bytes)) => Reason::OverflowBytes,
            (Self::Overflow, Err(Kind::Packets)) => Reason::OverflowPackets,
        }
    }
}
