//! Limits for tests. They drop, and have one burst for both directions, unless it says otherwise.

use throttle_agent::policy::{
    Action, ByteRate, Group, Limit, LinkLimit, Match, PacketRate, ParentAction, Rates, Scope,
};
use throttle_common::units::{BitRate, PacketsPerSecond, Size};

/// 8 kbit/s: a byte lasts a millisecond, so that no test refills a bucket while it runs.
pub const SLOW_BITS_PER_SECOND: u64 = 8_000;

/// Bytes at [`SLOW_BITS_PER_SECOND`], with a burst.
pub fn bytes(burst_bytes: u64) -> Rates {
    rated(SLOW_BITS_PER_SECOND, burst_bytes)
}

/// A burst of bytes, and a byte every eight seconds after it: none while a test runs, however slow the machine is.
pub fn only(burst_bytes: u64) -> Rates {
    rated(1, burst_bytes)
}

/// Bytes at a rate, with a burst.
pub fn rated(bits_per_second: u64, burst_bytes: u64) -> Rates {
    let rate = BitRate::from_bits_per_second(bits_per_second);
    let bytes = Some(ByteRate { rate, burst: Size::from_bytes(burst_bytes), refill: None });
    Rates { bytes, packets: None }
}

/// One packet per second, with a burst.
pub fn packets(burst_packets: u64) -> Rates {
    let rate = PacketsPerSecond::from_packets_per_second(1);
    Rates { bytes: None, packets: Some(PacketRate { rate, burst_packets, refill: None }) }
}

/// A limit with the same rates up and down.
pub fn each(prefix: &str, rates: Rates) -> Limit {
    limit(prefix, Scope::Each, rates)
}

/// A limit whose prefix has one bucket per direction.
pub fn shared(prefix: &str, rates: Rates) -> Limit {
    limit(prefix, Scope::Shared, rates)
}

/// A limit on both directions together.
pub fn total(prefix: &str, rates: Rates) -> Limit {
    let none = Rates::default();
    Limit { up: none, down: none, total: rates, ..limit(prefix, Scope::Each, rates) }
}

/// A limit that exempts hosts.
pub fn pass(prefix: &str) -> Limit {
    Limit { action: Action::Pass, ..limit(prefix, Scope::Each, Rates::default()) }
}

/// A limit that exempts the packets of all hosts to and from a prefix.
pub fn peer(prefix: &str) -> Limit {
    Limit { matches: Match::Peer, ..pass(prefix) }
}

/// The same limit with another action, as it is typed.
pub fn acting(limit: Limit, action: &str) -> Limit {
    Limit { action: action.parse().expect("an action"), ..limit }
}

/// The same limit as a member of a group.
pub fn within(limit: Limit, group: &str) -> Limit {
    Limit { group: Some(group.parse().expect("a name")), ..limit }
}

/// A group that drops, with the same rates up and down.
pub fn group(name: &str, rates: Rates) -> Group {
    let (name, none) = (name.parse().expect("a name"), Rates::default());
    Group { name, action: ParentAction::Drop, up: rates, down: rates, total: none }
}

/// The limit of a link that drops, with the same rates up and down.
pub fn link(rates: Rates) -> LinkLimit {
    LinkLimit { up: rates, down: rates, ..LinkLimit::default() }
}

fn limit(prefix: &str, scope: Scope, rates: Rates) -> Limit {
    let prefix = prefix.parse().expect("a prefix");
    let (up, down, total) = (rates, rates, Rates::default());
    Limit {
        prefix,
        matches: Match::Host,
        scope,
        action: Action::Drop,
        group: None,
        up,
        down,
        total,
        one_time_burst: None,
        packet_unit: None,
    }
}
