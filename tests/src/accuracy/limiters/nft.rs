//! nftables' limit in a dynamic set: a policer per address.

use anyhow::Result;

use super::{Group, HostLimit, InForce, Limiter, Undo};
use crate::command;
use crate::netns::Namespace;
use crate::router::{End, Router};
use crate::traffic::{Direction, Family};

/// A table with a set for every rate, direction and IP version.
#[derive(Clone, Copy, Debug)]
pub struct Nft;

impl Limiter for Nft {
    fn name(&self) -> &'static str {
        "nft"
    }

    fn configuration(&self) -> &'static str {
        "a dynamic set per direction and IP version in the forward hook, `limit rate over N bytes/second burst B bytes` \
         per address (IPv6: per /64), `B` as our default burst. Counts layer 3. Its bucket holds one second of the \
         rate beside the burst, which cannot be changed."
    }

    fn burst_seconds(&self, limit: &HostLimit) -> f64 {
        1.0 + limit.burst_bytes() as f64 / limit.bytes_per_second() as f64
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        let namespace = router.namespace(End::Router);
        command::run_with_input(namespace.command("nft")?.args(["-f", "-"]), &script(limits))?;
        Ok(Undo::new(router, lift))
    }
}

/// The table, which comes into force as a whole.
fn script(limits: &[HostLimit]) -> String {
    let groups = Group::of(limits);
    let sets: String = groups.iter().map(set).collect();
    let rules: String = groups.iter().map(rule).collect();
    format!(
        "table inet peer {{\n{sets}chain forward {{\n\
         type filter hook forward priority filter; policy accept;\n{rules}}}\n}}\n"
    )
}

fn set(group: &Group) -> String {
    let kind = match group.limit.case.family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    format!("set {} {{ type {kind}; size 65536; flags dynamic; }}\n", group.name())
}

fn rule(group: &Group) -> String {
    let field = match group.limit.case.direction {
        Direction::Up => "saddr",
        Direction::Down => "daddr",
    };
    let family = group.limit.case.family;
    let host = match family {
        Family::V4 => format!("ip {field}"),
        Family::V6 => format!("ip6 {field} & ffff:ffff:ffff:ffff::"),
    };
    let prefixes = group.hosts.iter().map(|host| host.prefix(family));
    let addresses: Vec<_> =
        prefixes.filter_map(|prefix| Some(prefix.split_once('/')?.0.to_owned())).collect();
    let (addresses, set) = (addresses.join(", "), group.name());
    let (rate, burst) = (group.limit.bytes_per_second(), group.limit.burst_bytes());
    format!(
        "{host} {{ {addresses} }} update @{set} \
         {{ {host} limit rate over {rate} bytes/second burst {burst} bytes }} drop\n"
    )
}

fn lift(router: &Namespace) -> Result<()> {
    command::run(router.command("nft")?.args(["delete", "table", "inet", "peer"])).map(drop)
}
