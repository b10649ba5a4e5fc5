//! The hashlimit match of iptables(8) and ip6tables(8): a policer per address.

use anyhow::Result;

use super::{Group, HostLimit, InForce, Limiter, Undo};
use crate::command;
use crate::netns::Namespace;
use crate::router::{End, Router};
use crate::traffic::{Direction, Family};

/// A rule per host, with a table of addresses for every rate, direction and IP version.
#[derive(Clone, Copy, Debug)]
pub struct Hashlimit;

impl Limiter for Hashlimit {
    fn name(&self) -> &'static str {
        "hashlimit"
    }

    fn configuration(&self) -> &'static str {
        "`iptables -m hashlimit --hashlimit-above Nb/s --hashlimit-mode srcip` (up) or `dstip` (down) in FORWARD, IPv6 with \
         a mask of 64; in Debian nftables' engine calls the match, which bears on its cost, not on its rate. Counts \
         layer 3 in units of 16 bytes, one more for each packet, and rounds the rate to what it can keep. Its \
         `--hashlimit-burst` comes in whole seconds of the rate: here two, the least it takes, beside the one that \
         its bucket holds."
    }

    fn burst_seconds(&self, _limit: &HostLimit) -> f64 {
        3.0
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        let undo = Undo::new(router, lift);
        for family in Family::ALL {
            let restore = format!("{}-restore", program(family));
            let mut restore = router.namespace(End::Router).command(&restore)?;
            command::run_with_input(restore.arg("--noflush"), &script(limits, family))?;
        }
        Ok(undo)
    }
}

const fn program(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}

fn script(limits: &[HostLimit], family: Family) -> String {
    let groups = Group::of(limits);
    let rules = groups.iter().filter(|group| group.limit.case.family == family).map(rules);
    format!("*filter\n{}COMMIT\n", rules.collect::<String>())
}

/// The rules of all hosts that share a table.
fn rules(group: &Group) -> String {
    let (option, side) = match group.limit.case.direction {
        Direction::Up => ("-s", "src"),
        Direction::Down => ("-d", "dst"),
    };
    let family = group.limit.case.family;
    let host_bits = match family {
        Family::V4 => 32,
        Family::V6 => 64,
    };
    let (rate, name) = (group.limit.bytes_per_second(), group.name());
    // No burst is taken below the rate, which is rounded by up to 0.2 percent before.
    let burst = rate + rate / 100;
    let rule = |host: &End| {
        let prefix = host.prefix(family);
        format!(
            "-A FORWARD {option} {prefix} -m hashlimit --hashlimit-above {rate}b/s --hashlimit-burst {burst}b \
             --hashlimit-mode {side}ip --hashlimit-{side}mask {host_bits} --hashlimit-name {name} -j DROP\n"
        )
    };
    group.hosts.iter().map(rule).collect()
}

fn lift(router: &Namespace) -> Result<()> {
    Family::ALL.into_iter().try_for_each(|family| {
        command::run(router.command(program(family))?.args(["-F", "FORWARD"])).map(drop)
    })
}
