//! The throttler.

use anyhow::Result;

use super::{HostLimit, InForce, Limiter, way_out};
use crate::agent::Agent;
use crate::router::{End, Router};
use crate::traffic::{Direction, Family, rate_argument};

/// An agent on every LAN that has limited hosts.
#[derive(Clone, Copy, Debug)]
pub struct Ours;

impl Limiter for Ours {
    fn name(&self) -> &'static str {
        "throttle"
    }

    fn configuration(&self) -> &'static str {
        "the agent on the LAN link, one `limit set HOST --up RATE --down RATE` per host, with the default burst (250 ms, \
         at least 64 KiB). Counts layer 3."
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        let mut links: Vec<_> =
            limits.iter().map(|limit| way_out(limit.host, Direction::Down)).collect();
        links.sort();
        links.dedup();
        let arguments: Vec<_> = links.iter().flat_map(|link| ["--iface", link]).collect();
        let agent = Agent::start(router.namespace(End::Router), &arguments)?;
        for words in commands(limits) {
            agent.done(&format!("limit set {words}"))?;
        }
        Ok(Box::new(agent))
    }
}

/// What `limit set` is told: both directions of a host at once, for it replaces.
fn commands(limits: &[HostLimit]) -> Vec<String> {
    let mut commands: Vec<(End, Family, String)> = Vec::new();
    for limit in limits {
        let (host, family) = (limit.host, limit.case.family);
        let rate = rate_argument(limit.bits_per_second);
        let words = format!(" {} {rate}", limit.case.direction.option());
        match commands.iter_mut().find(|(found, of, _)| (*found, *of) == (host, family)) {
            Some((.., command)) => *command += &words,
            None => commands.push((host, family, host.prefix(family) + &words)),
        }
    }
    commands.into_iter().map(|(.., command)| command).collect()
}

#[cfg(test)]
mod tests {
    use super::commands;
    use crate::accuracy::limiters::HostLimit;
    use crate::router::End;
    use crate::traffic::{Case, MBIT};

    #[test]
    fn both_directions_of_a_host_are_set_at_once() {
        let limits = Case::ALL.map(|case| HostLimit {
            host: End::host(1),
            case,
            bits_per_second: 10 * MBIT,
        });
        let expected = [
            "10.77.0.11/32 --up 10mbit --down 10mbit",
            "fd00:77:0:11::/64 --up 10mbit --down 10mbit",
        ];
        assert_eq!(commands(&limits), expected);
    }
}
