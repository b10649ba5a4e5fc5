//! Limiters of others that keep a bucket for each source, set up as their manuals advise for a million.

use anyhow::{Context as _, Result};

use super::Load;
use crate::command;
use crate::netns::Namespace;
use crate::traffic::Family;

/// Sources that HTB has a class for: as many as one table of hashed u32 filters has.
pub(super) const HTB_CLASSES: u32 = 256;

/// A set of nftables at the ingress hook of the interface, where a packet meets it first. It is made with all of
/// its room, so that it needs not grow, and old elements are searched for rarely.
pub(super) fn nft(router: &Namespace, family: Family, load: Load, room: u32) -> Result<()> {
    let (kind, source) = match family {
        Family::V4 => ("ipv4_addr", "ip saddr"),
        Family::V6 => ("ipv6_addr", "ip6 saddr & ffff:ffff:ffff:ffff::"),
    };
    let limit = match load {
        Load::Pass => "400 mbytes/second burst 1000 mbytes",
        Load::Excess => "1/day burst 1 packets",
    };
    let script = format!(
        "table netdev limiter {{
           set sources {{
             type {kind}; size {room}; flags dynamic,timeout; timeout 10m; gc-interval 10m;
           }}
           chain in {{
             type filter hook ingress device lan0 priority 0;
             update @sources {{ {source} limit rate over {limit} }} drop
           }}
         }}"
    );
    let mut nft = router.command("nft")?;
    command::run_with_input(nft.args(["-f", "-"]), &script).context("setting up nft")?;
    Ok(())
}

/// The buckets that hashlimit takes at most, and so the sources.
const MOST_BUCKETS: u32 = 1 << 20;

/// A rule of iptables in the table that packets meet first, with a bucket of the hash for each source.
pub(super) fn hashlimit(router: &Namespace, family: Family, load: Load, room: u32) -> Result<()> {
    let room = room.min(MOST_BUCKETS);
    let (program, mask) = match family {
        Family::V4 => ("iptables-legacy", 32),
        Family::V6 => ("ip6tables-legacy", 64),
    };
    let limit = match load {
        Load::Pass => "--hashlimit-above 400mb/s --hashlimit-burst 1000mb",
        Load::Excess => "--hashlimit-above 1/day --hashlimit-burst 1",
    };
    let rule = format!(
        "-t raw -A PREROUTING -i lan0 -m hashlimit --hashlimit-name sources --hashlimit-mode srcip
         --hashlimit-srcmask {mask} {limit} --hashlimit-htable-size {room} --hashlimit-htable-max {room}
         --hashlimit-htable-expire 600000 --hashlimit-htable-gcinterval 600000 -j DROP"
    );
    command::run(router.command(program)?.args(rule.split_whitespace()))
        .context("setting up hashlimit")?;
    Ok(())
}

/// A class for each of the first sources, found by one table of hashed filters, where packets go out.
pub(super) fn htb(router: &Namespace, load: Load) -> Result<()> {
    let limit = match load {
        Load::Pass => "rate 3200mbit burst 1000mb cburst 1000mb",
        Load::Excess => "rate 8bit burst 64b cburst 64b",
    };
    let mut script = "qdisc add dev wan0 root handle 1: htb\n\
         filter add dev wan0 parent 1: prio 1 handle 2: protocol ip u32 divisor 256\n\
         filter add dev wan0 parent 1: prio 1 protocol ip u32 match u32 0 0 link 2: \
         hashkey mask 0xff at 12\n"
        .to_owned();
    for number in 0..HTB_CLASSES {
        let class = number + 1;
        script += &format!(
            "class add dev wan0 parent 1: classid 1:{class:x} htb {limit} quantum 1514\n\
             qdisc add dev wan0 parent 1:{class:x} pfifo limit 100\n\
             filter add dev wan0 parent 1: prio 1 protocol ip u32 ht 2:{number:x}: \
             match ip src 11.0.0.{number}/32 flowid 1:{class:x}\n"
        );
    }
    let mut tc = router.command("tc")?;
    command::run_with_input(tc.args(["-batch", "-"]), &script).context("setting up HTB")?;
    Ok(())
}
