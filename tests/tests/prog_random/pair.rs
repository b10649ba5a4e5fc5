//! The loaded program beside its twin.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use throttle_agent::datapath::{Counters, Usage};
use throttle_agent::policy::{Limit, LimitKey, Policy};
use throttle_common::abi::{Direction, Hook, Side, reason_index};
use throttle_common::address::Address;
use throttle_common::packet::{ETHERNET_BYTES, LinkHeader};
use throttle_common::verdict::Reason;
use throttle_tests::bpf::Tallies;
use throttle_tests::prog::{Program, Verdict, sound};
use throttle_tests::random::frames::Packet;
use throttle_tests::twin::{self, Twin, Used};

/// Hosts that fit into the tables beyond doubt; packets that may make more are left out.
const MOST_HOSTS: usize = 2000;

/// The longest header that the kernel wants whole of a frame that says it begins so.
const WANTED_BYTES: usize = ETHERNET_BYTES + 40;

/// An interface of both.
pub(super) struct Interface {
    pub(super) name: &'static str,
    pub(super) index: u32,
    pub(super) side: Side,
    pub(super) header: LinkHeader,
}

/// Both, under the same policy.
pub(super) struct Pair<'a> {
    program: &'a mut Program,
    twin: Twin,
    interfaces: &'a [Interface],
    reasons: Tallies,
    /// What the program has counted of each reason, as far as it was looked at.
    seen: BTreeMap<u32, [u64; 2]>,
    /// What the packet that is under way belongs to.
    seed: u64,
    pub(super) compared: u64,
    /// Packets that may have made a host for which there is no room beyond doubt.
    pub(super) left_out: u64,
}

impl<'a> Pair<'a> {
    /// Both without a limit.
    pub(super) fn new(
        program: &'a mut Program,
        interfaces: &'a [Interface],
        host_bits: u8,
        seed: u64,
    ) -> Self {
        let links = interfaces.iter().map(|interface| {
            sound(program.datapath().attach(interface.name, interface.side));
            twin::Link {
                name: interface.name.to_owned(),
                header: interface.header,
                incoming: Direction::from_parity(interface.side as u32),
                reasons: Default::default(),
            }
        });
        let twin = Twin::new(links.collect(), host_bits);
        let reasons = Tallies::open(&program.pins().join("REASONS")).expect("the pinned counters");
        Self {
            program,
            twin,
            interfaces,
            reasons,
            seen: BTreeMap::new(),
            seed,
            compared: 0,
            left_out: 0,
        }
    }

    pub(super) fn apply(&mut self, policy: &Policy) {
        sound(self.program.datapath().apply(policy));
        self.twin.apply(policy);
    }

    /// Replaces a limit, while hosts are in debt.
    pub(super) fn set(&mut self, limit: &Limit) {
        let before = self.program.datapath().limit(&limit.key());
        if before.as_ref() != Some(limit) {
            self.program.set(limit);
            self.twin.set(limit);
        }
    }

    /// Sends a packet through both and compares all that comes out.
    pub(super) fn send(&mut self, link: usize, packet: &Packet) {
        let Packet { hook, segments, bytes } = packet;
        if self.twin.hosts() >= MOST_HOSTS && self.twin.may_make_host(link, *hook, bytes) {
            self.left_out += 1;
            return;
        }
        let interface = &self.interfaces[link];
        let ran = self.program.treat_on(interface.index, *hook, bytes, *segments);
        let ran = ran.unwrap_or_else(|error| panic!("{error}: {}", self.words(link, packet)));
        let Some(outcome) = ran else {
            let is_short = bytes.len() < WANTED_BYTES;
            assert!(is_short, "the kernel does not run {}", self.words(link, packet));
            return;
        };
        let wanted = self.twin.meet(link, *hook, bytes, *segments);
        let reason = wanted.reason;
        let verdict = if reason.refuses() { Verdict::Drop } else { Verdict::Pass };
        let counted = [wanted.counted.packets, wanted.counted.bytes];
        let moved = self.moved(link, wanted.direction, reason);
        if (outcome.verdict, moved, outcome.mark, outcome.departs_ns)
            != (verdict, counted, wanted.mark, 0)
        {
            let (others, words) = (self.moved_others(link), self.words(link, packet));
            panic!(
                "{reason:?} {counted:?} and mark {} are expected, not {:?} with mark {}, {moved:?} and \
                 {others:?}, for {words}",
                wanted.mark, outcome.verdict, outcome.mark
            );
        }
        let words = || format!("bytes after {reason:?} for {}", self.words(link, packet));
        assert!(outcome.bytes == wanted.bytes, "{}: {}", words(), hex(&outcome.bytes));
        self.compared += 1;
    }

    /// Packets and bytes that the program has counted of a reason since it was asked last.
    fn moved(&mut self, link: usize, direction: Direction, reason: Reason) -> [u64; 2] {
        let index = reason_index(link as u32, direction, reason);
        let now = self.reasons.sum(index).expect("the counter of a reason");
        let before = self.seen.insert(index, now).unwrap_or_default();
        [now[0] - before[0], now[1] - before[1]]
    }

    /// The reasons that moved as well.
    fn moved_others(&mut self, link: usize) -> Vec<(Direction, Reason, [u64; 2])> {
        let all = Direction::ALL
            .into_iter()
            .flat_map(|direction| Reason::ALL.map(|reason| (direction, reason)));
        let moved =
            all.map(|(direction, reason)| (direction, reason, self.moved(link, direction, reason)));
        moved.filter(|(_, _, moved)| *moved != [0; 2]).collect()
    }

    /// The line that a regression has for a packet, and what brings it back.
    fn words(&self, link: usize, packet: &Packet) -> String {
        let Packet { hook, segments, bytes } = packet;
        let hook = match hook {
            Hook::Ingress => "in",
            Hook::Egress => "out",
        };
        format!(
            "packet {} of seed {}: {} {hook} {} {} {}",
            self.compared,
            self.seed,
            self.interfaces[link].name,
            segments.size_bytes,
            segments.count,
            hex(bytes)
        )
    }

    /// Compares everything that either has counted.
    pub(super) fn compare_counters(&mut self) {
        let seed = self.seed;
        let counters = self.program.counters();
        assert_eq!(counters.links.len(), self.twin.links.len(), "links of seed {seed}");
        for (link, found) in self.twin.links.iter().zip(&counters.links) {
            assert_eq!([found.up, found.down], link.reasons, "{} of seed {seed}", link.name);
        }
        let limits: BTreeMap<_, _> = self.twin.limit_use().collect();
        assert_eq!(limits_of(&counters), limits, "limits of seed {seed}");
        let groups: BTreeMap<_, _> = self.twin.group_use().collect();
        assert_eq!(groups_of(&counters), groups, "groups of seed {seed}");
        let hosts: BTreeMap<_, _> =
            self.twin.host_use().map(|(address, used)| (address.octets(), used)).collect();
        let has_counted = |used: &Used| *used != Used::default();
        let hosts: BTreeMap<_, _> =
            hosts.into_iter().filter(|(_, used)| has_counted(used)).collect();
        let found = sound(self.program.datapath().hosts());
        let found =
            found.into_iter().map(|host| (octets(host.address), used(&host.up, &host.down)));
        let found: BTreeMap<_, _> = found.filter(|(_, used)| has_counted(used)).collect();
        assert_eq!(found, hosts, "hosts of seed {seed}");
    }
}

fn limits_of(counters: &Counters) -> BTreeMap<LimitKey, Used> {
    let used = counters.limits.iter().map(|limit| {
        let key = LimitKey { prefix: limit.prefix, matches: limit.matches };
        (key, used(&limit.up, &limit.down))
    });
    used.collect()
}

fn groups_of(counters: &Counters) -> BTreeMap<String, Used> {
    let groups = counters.groups.iter();
    groups.map(|group| (group.name.to_string(), used(&group.up, &group.down))).collect()
}

fn used(up: &Usage, down: &Usage) -> Used {
    [up, down].map(|usage| [usage.passed, usage.excess])
}

fn octets(address: std::net::IpAddr) -> [u8; 16] {
    match address {
        std::net::IpAddr::V4(address) => Address::from_ipv4(address.octets()).octets(),
        std::net::IpAddr::V6(address) => address.octets(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _done = write!(text, "{byte:02x}");
        text
    })
}
