//! Random policies under which time plays no part.
//!
//! A unit (a byte or a packet) of a slow limit lasts sixteen seconds, so that a run which is shorter
//! than that finds whole units in every bucket; a fast limit has room for all that a run can send.

use std::collections::BTreeMap;

use throttle_agent::policy::{
    Action, ByteRate, Dscp, Group, Limit, LinkLimit, Match, PacketRate, ParentAction, Policy,
    Rates, Scope,
};
use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

use super::Random;

/// What a unit of a slow limit lasts.
pub const UNIT_NS: u64 = 16_000_000_000;

/// Bursts of groups and links: what is taken in advance of them is a 64th, in whole units.
const PARENT_UNITS: u64 = 64;

/// Prefixes whose limit may be replaced by another [`limit`] while hosts are in debt: none of theirs is
/// fast, since a debt that is hours to one is drained in no time by the other.
pub const REPLACED: [&str; 2] = ["10.0.0.0/8", "fd00::/16"];

const GROUPS: [&str; 2] = ["acme", "initech"];

/// A policy for the links of these names.
pub fn policy(random: &mut Random, links: &[&str], host_bits: u8) -> Policy {
    let groups: Vec<_> = GROUPS.into_iter().map(|name| group(random, name)).collect();
    let mut limits = Vec::new();
    for prefix in prefixes(random, host_bits) {
        limits.push(limit(random, &prefix));
    }
    for prefix in ["192.0.2.0/25", "3fff::/16"] {
        if random.once_in(3) {
            limits.push(Limit { matches: Match::Peer, ..bare(prefix, Scope::Each, Action::Pass) });
        }
    }
    let mut limited = BTreeMap::new();
    for link in links {
        if random.once_in(2) {
            limited.insert((*link).to_owned(), link_limit(random));
        }
    }
    Policy { limits, groups, links: limited }
}

/// Nested prefixes of both families; no two are the same.
fn prefixes(random: &mut Random, host_bits: u8) -> Vec<String> {
    let mut prefixes = Vec::new();
    if random.once_in(3) {
        prefixes.push("0.0.0.0/0".to_owned());
    }
    if random.once_in(3) {
        prefixes.push("::/0".to_owned());
    }
    prefixes.extend(REPLACED.map(str::to_owned));
    for net in 0..8 {
        if random.once_in(2) {
            prefixes.push(format!("10.0.{net}.0/{}", 24 + random.below(6)));
        }
    }
    for _ in 0..3 {
        prefixes.push(format!("10.0.{}.{}/32", random.below(8), random.below(12)));
    }
    for site in 0..4 {
        if random.once_in(2) {
            prefixes.push(format!("fd00:0:{site}::/{host_bits}"));
        } else {
            prefixes.push(format!("fd00:0:{site}::/47"));
        }
    }
    let mut seen: Vec<ipnet::IpNet> = Vec::new();
    prefixes.retain(|prefix| {
        let net = prefix.parse::<ipnet::IpNet>().expect("a prefix").trunc();
        let is_new = !seen.contains(&net);
        seen.push(net);
        is_new
    });
    prefixes
}

/// A limit of a prefix.
pub fn limit(random: &mut Random, prefix: &str) -> Limit {
    let action = action(random);
    let scope = if random.once_in(4) { Scope::Shared } else { Scope::Each };
    let bare = bare(prefix, scope, action);
    if action == Action::Pass {
        return Limit { scope: Scope::Each, ..bare };
    }
    let [up, down, total] = rates(random, 1, !REPLACED.contains(&prefix));
    let some_size = |random: &mut Random, most| {
        random.once_in(4).then(|| Size::from_bytes(1 + random.below(most)))
    };
    Limit {
        group: random.once_in(2).then(|| random.pick(&GROUPS).parse().expect("a name")),
        up,
        down,
        total,
        one_time_burst: some_size(random, 20_000),
        packet_unit: some_size(random, 2_000),
        ..bare
    }
}

fn bare(prefix: &str, scope: Scope, action: Action) -> Limit {
    let prefix = prefix.parse::<ipnet::IpNet>().expect("a prefix").trunc();
    let none = Rates::default();
    let (matches, group) = (Match::Host, None);
    let (one_time_burst, packet_unit) = (None, None);
    let (up, down, total) = (none, none, none);
    Limit { prefix, matches, scope, action, group, up, down, total, one_time_burst, packet_unit }
}

fn action(random: &mut Random) -> Action {
    match random.below(8) {
        0 => Action::Ecn,
        1 => Action::Dscp(Dscp::new(random.below(64) as u8).expect("six bits")),
        2 => Action::Mark(random.number() as u32),
        3 => Action::Observe,
        4 => Action::Pass,
        // Loopback has no fq, without which a limit that paces drops.
        5 => Action::Pace { ecn_above: random.once_in(2).then(|| Span::from_nanoseconds(1 << 20)) },
        _ => Action::Drop,
    }
}

fn group(random: &mut Random, name: &str) -> Group {
    let (name, action) = (name.parse().expect("a name"), parent_action(random));
    let [up, down, total] = rates(random, PARENT_UNITS, true);
    Group { name, action, up, down, total }
}

fn link_limit(random: &mut Random) -> LinkLimit {
    let action = parent_action(random);
    let [up, down, total] = rates(random, PARENT_UNITS, true);
    LinkLimit { action, up, down, total, overhead_bytes: random.pick(&[0, 0, 4, 38]) }
}

fn parent_action(random: &mut Random) -> ParentAction {
    if random.once_in(4) { ParentAction::Observe } else { ParentAction::Drop }
}

/// Rates up, down and of both together, with bursts of multiples of so many units; some of them fast where
/// that may be.
fn rates(random: &mut Random, units: u64, may_be_fast: bool) -> [Rates; 3] {
    let [mut up, mut down, mut total] = [(); 3].map(|()| Rates {
        bytes: random.once_in(2).then(|| bytes(random, units, may_be_fast)),
        packets: random.once_in(3).then(|| packets(random, units, may_be_fast)),
    });
    if random.once_in(3) {
        (up.bytes, down.bytes) = (None, None);
    } else {
        total.bytes = None;
    }
    if random.once_in(3) {
        (up.packets, down.packets) = (None, None);
    } else {
        total.packets = None;
    }
    [up, down, total]
}

fn bytes(random: &mut Random, units: u64, may_be_fast: bool) -> ByteRate {
    if may_be_fast && random.once_in(4) {
        let (rate, burst) =
            (BitRate::from_bits_per_second(400_000_000_000), Size::from_bytes(1 << 42));
        return ByteRate { rate, burst, refill: None };
    }
    let scale = random.pick(&[1, 1_000, 100_000]);
    let burst = whole(random, scale, units);
    let refill = Some(Span::from_nanoseconds(burst * UNIT_NS));
    ByteRate { rate: BitRate::from_bits_per_second(1), burst: Size::from_bytes(burst), refill }
}

fn packets(random: &mut Random, units: u64, may_be_fast: bool) -> PacketRate {
    let rate = PacketsPerSecond::from_packets_per_second(1_000_000_000);
    if may_be_fast && random.once_in(4) {
        return PacketRate { rate, burst_packets: 1 << 40, refill: None };
    }
    let scale = random.pick(&[1, 20, 400]);
    let burst_packets = whole(random, scale, units);
    let refill = Some(Span::from_nanoseconds(burst_packets * UNIT_NS));
    PacketRate { rate, burst_packets, refill }
}

/// A burst of up to so many units at a scale, a multiple of `units`.
fn whole(random: &mut Random, scale: u64, units: u64) -> u64 {
    (1 + random.below(scale)).next_multiple_of(units)
}
