//! What can hold the hosts of a router to limits: the throttler, and its peers in Linux, each configured as well
//! as its manual allows.

mod hashlimit;
mod htb;
mod nft;
mod ours;
mod pace;
mod police;

use anyhow::{Result, ensure};

use crate::agent::Agent;
use crate::netns::Namespace;
use crate::router::{End, Router};
use crate::traffic::{Case, Direction, Family};

pub use hashlimit::Hashlimit;
pub use htb::{EvenHtb, Htb};
pub use nft::Nft;
pub use ours::Ours;
pub use pace::Pace;
pub use police::Police;

/// Every limiter whose limits for UDP are compared, ours first.
pub const ALL: [&dyn Limiter; 5] = [&Ours, &Police, &Htb, &Nft, &Hashlimit];

/// A limiter that the running kernel cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What tables and options call it.
    pub name: &'static str,
    /// What is missing.
    pub reason: String,
}

/// Those of `limiters` that the running kernel can have, and the others.
pub fn at_hand(
    limiters: impl IntoIterator<Item = &'static dyn Limiter>,
) -> Result<(Vec<&'static dyn Limiter>, Vec<LeftOut>)> {
    let (mut at_hand, mut left_out) = (Vec::new(), Vec::new());
    for limiter in limiters {
        match limiter.lack()? {
            None => at_hand.push(limiter),
            Some(reason) => left_out.push(LeftOut { name: limiter.name(), reason }),
        }
    }
    Ok((at_hand, left_out))
}

/// Of `all`, ours, whatever it does with excess, and the peers that are named, in every way in which they are set up.
/// Case does not matter.
pub fn with_peers(
    all: impl IntoIterator<Item = &'static dyn Limiter>,
    names: &[String],
) -> Result<Vec<&'static dyn Limiter>> {
    let is_ours = |limiter: &&dyn Limiter| program(*limiter) == Ours.name();
    let (mut chosen, peers): (Vec<_>, Vec<_>) = all.into_iter().partition(is_ours);
    let is = |limiter: &dyn Limiter, name: &String| program(limiter).eq_ignore_ascii_case(name);
    for name in names.iter().filter(|name| !name.is_empty()) {
        let mut known: Vec<_> = peers.iter().map(|peer| program(*peer)).collect();
        known.dedup();
        let is_known = peers.iter().any(|peer| is(*peer, name));
        ensure!(is_known, "--peers {name}: no such limiter; accepted: {}", known.join(", "));
    }
    chosen.extend(peers.into_iter().filter(|peer| names.iter().any(|name| is(*peer, name))));
    Ok(chosen)
}

/// The name of a limiter without the way in which it is set up, which follows a comma.
fn program(limiter: &dyn Limiter) -> &'static str {
    limiter.name().split(',').next().unwrap_or_default()
}

/// What a host may send, or be sent, in one IP version.
#[derive(Clone, Copy, Debug)]
pub struct HostLimit {
    /// The host.
    pub host: End,
    /// Which of its traffic.
    pub case: Case,
    /// Bits of layer 3, a multiple of eight.
    pub bits_per_second: u64,
}

impl HostLimit {
    /// The burst that every limiter gets that can be told one: that of our default.
    pub const fn burst_bytes(&self) -> u64 {
        const LEAST: u64 = 64 << 10;
        let quarter_second = self.bits_per_second / 8 / 4;
        if quarter_second > LEAST { quarter_second } else { LEAST }
    }

    const fn bytes_per_second(&self) -> u64 {
        self.bits_per_second / 8
    }

    /// The part of a filter of tc(8) that picks the host's packets.
    fn u32_match(&self) -> String {
        let (protocol, header, priority) = match self.case.family {
            Family::V4 => ("ip", "ip", 1),
            Family::V6 => ("ipv6", "ip6", 2),
        };
        let field = match self.case.direction {
            Direction::Up => "src",
            Direction::Down => "dst",
        };
        let prefix = self.host.prefix(self.case.family);
        format!("protocol {protocol} prio {priority} u32 match {header} {field} {prefix}")
    }
}

/// Holds hosts of a router to limits.
pub trait Limiter: Sync {
    /// What tables and options call it.
    fn name(&self) -> &'static str;

    /// How it is configured and what it counts, as a sentence of Markdown.
    fn configuration(&self) -> &'static str;

    /// What the running kernel lacks of what it takes, if it lacks anything.
    fn lack(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// How many seconds of the rate a bucket holds when it is full.
    fn burst_seconds(&self, limit: &HostLimit) -> f64 {
        limit.burst_bytes() as f64 / limit.bytes_per_second() as f64
    }

    /// Puts `limits` in force, which are all there are on the router. They are lifted when what is returned is
    /// dropped.
    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>>;
}

/// Limits in force, lifted on drop.
pub trait InForce: std::fmt::Debug {}

impl InForce for Agent {}

/// What lifts the limits of a peer.
#[derive(Debug)]
struct Undo<'a> {
    router: &'a Namespace,
    lift: fn(&Namespace) -> Result<()>,
}

impl<'a> Undo<'a> {
    /// Made before the limits are installed, so that half of them go as well.
    fn new(router: &'a Router, lift: fn(&Namespace) -> Result<()>) -> Box<Self> {
        Box::new(Self { router: router.namespace(End::Router), lift })
    }
}

impl InForce for Undo<'_> {}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Err(error) = (self.lift)(self.router) {
            eprintln!("cannot lift limits in {}: {error:#}", self.router.name());
        }
    }
}

/// Hosts that one rule with a table of addresses can limit.
#[derive(Debug)]
struct Group {
    /// Any of the limits, which differ in the host alone.
    limit: HostLimit,
    hosts: Vec<End>,
}

impl Group {
    /// Sorts limits by what they have in common.
    fn of(limits: &[HostLimit]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for &limit in limits {
            let is_alike = |group: &&mut Self| {
                group.limit.case == limit.case
                    && group.limit.bits_per_second == limit.bits_per_second
            };
            match groups.iter_mut().find(is_alike) {
                Some(group) => group.hosts.push(limit.host),
                None => groups.push(Self { limit, hosts: vec![limit.host] }),
            }
        }
        groups
    }

    /// A name that no other group has.
    fn name(&self) -> String {
        let HostLimit { case: Case { direction, family }, bits_per_second, .. } = self.limit;
        let version = match family {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        format!("{direction}{version}_{bits_per_second}")
    }
}

/// The router's interfaces with a qdisc that begins with these words of `tc qdisc show`.
fn interfaces_with(router: &Namespace, qdisc: &str) -> Result<Vec<String>> {
    let begin = format!("qdisc {qdisc} ");
    let qdiscs = router.tc("qdisc show")?;
    let lines = qdiscs.lines().filter(|line| line.starts_with(&begin));
    let interface = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "dev");
        words.nth(1).map(str::to_owned)
    };
    Ok(lines.filter_map(interface).collect())
}

/// The interface of the router that packets in this direction leave by.
fn way_out(host: End, direction: Direction) -> String {
    match (direction, host) {
        (Direction::Down, End::Host { lan, .. }) => format!("lan{lan}"),
        (Direction::Up, _) | (_, End::Server | End::Router) => "wan0".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, EvenHtb, Group, HostLimit, Htb, Limiter, Nft, Ours, Pace, with_peers};
    use crate::router::End;
    use crate::traffic::{Case, MBIT};

    #[test]
    fn limits_that_differ_in_the_host_alone_are_one_group() {
        let [case, other, ..] = Case::ALL;
        let limit = |number, case, bits_per_second| HostLimit {
            host: End::host(number),
            case,
            bits_per_second,
        };
        let limits =
            [limit(0, case, MBIT), limit(1, other, MBIT), limit(2, case, MBIT), limit(3, case, 8)];
        let groups = Group::of(&limits);
        let hosts: Vec<_> = groups.iter().map(|group| group.hosts.clone()).collect();
        let expected = [&[0, 2][..], &[1], &[3]]
            .map(|numbers| numbers.iter().map(|&number| End::host(number)).collect::<Vec<_>>());
        assert_eq!(hosts, expected);
        let mut names: Vec<_> = groups.iter().map(Group::name).collect();
        names.dedup();
        assert_eq!(names.len(), 3, "{names:?}");
    }

    #[test]
    fn ours_takes_part_beside_peers_that_are_known() {
        let chosen = |all: &[&'static dyn Limiter], names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            let limiters = with_peers(all.iter().copied(), &names)?;
            anyhow::Ok(limiters.iter().map(|limiter| limiter.name()).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&ALL, &["htb", "police"]).unwrap(), ["throttle", "police", "HTB"]);
        assert_eq!(chosen(&ALL, &[""]).unwrap(), ["throttle"]);
        let ways: [&dyn Limiter; 5] = [&Ours, &Pace, &Nft, &Htb, &EvenHtb];
        let both = ["throttle", "throttle, pace", "HTB", "HTB, even"];
        assert_eq!(chosen(&ways, &["HTB"]).unwrap(), both);
        let error = chosen(&ways, &["cake"]).unwrap_err().to_string();
        assert!(error.ends_with("accepted: nft, HTB"), "{error}");
    }

    #[test]
    fn the_burst_is_a_quarter_of_a_second_and_at_least_64_kib() {
        let burst = |bits_per_second| {
            HostLimit { host: End::host(0), case: Case::ALL[0], bits_per_second }.burst_bytes()
        };
        assert_eq!((burst(MBIT), burst(100 * MBIT)), (65536, 3_125_000));
    }
}
