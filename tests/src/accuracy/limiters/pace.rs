//! The throttler with the action `pace`, which delays what it will not pass at once.

use anyhow::Result;

use super::{HostLimit, InForce, Limiter, way_out};
use crate::agent::Agent;
use crate::guest::set_qdisc;
use crate::netns::Namespace;
use crate::router::{End, Router};
use crate::traffic::{Direction, rate_argument};

/// An agent per direction, on the interfaces that packets leave by: only what leaves can wait.
#[derive(Clone, Copy, Debug)]
pub struct Pace;

impl Limiter for Pace {
    fn name(&self) -> &'static str {
        "throttle, pace"
    }

    fn configuration(&self) -> &'static str {
        "`limit set HOST --down RATE --action pace` on the LAN links and `--up` on the WAN link (`wan0:near`), all with \
         `fq flow_limit 1024`: packets wait up to the default burst, 250 ms, and what would wait longer is dropped."
    }

    fn install<'a>(
        &self,
        router: &'a Router,
        limits: &[HostLimit],
    ) -> Result<Box<dyn InForce + 'a>> {
        let mut paced = Paced { agents: Vec::new(), qdiscs: Qdiscs { router, links: Vec::new() } };
        for direction in Direction::ALL {
            let limits: Vec<_> =
                limits.iter().filter(|limit| limit.case.direction == direction).collect();
            let mut links: Vec<_> =
                limits.iter().map(|limit| way_out(limit.host, direction)).collect();
            links.sort();
            links.dedup();
            if links.is_empty() {
                continue;
            }
            paced.qdiscs.add(&links)?;
            paced.agents.push(start(router.namespace(End::Router), direction, &links)?);
            for limit in limits {
                let prefix = limit.host.prefix(limit.case.family);
                let (option, rate) = (direction.option(), rate_argument(limit.bits_per_second));
                let words = format!("limit set {prefix} {option} {rate} --action pace");
                paced.agents[paced.agents.len() - 1].done(&words)?;
            }
        }
        Ok(Box::new(paced))
    }
}

/// Agents, which go first, and the queues that hold what they delay.
#[derive(Debug)]
struct Paced<'a> {
    agents: Vec<Agent>,
    qdiscs: Qdiscs<'a>,
}

impl InForce for Paced<'_> {}

/// Links with fq.
#[derive(Debug)]
struct Qdiscs<'a> {
    router: &'a Router,
    links: Vec<String>,
}

impl Qdiscs<'_> {
    fn add(&mut self, links: &[String]) -> Result<()> {
        for link in links {
            set_qdisc(self.router.namespace(End::Router), link, "fq flow_limit 1024")?;
            self.links.push(link.clone());
        }
        Ok(())
    }
}

impl Drop for Qdiscs<'_> {
    fn drop(&mut self) {
        for link in &self.links {
            let words = format!("qdisc del dev {link} root");
            if let Err(error) = self.router.namespace(End::Router).tc(&words) {
                eprintln!("cannot take fq off {link}: {error:#}");
            }
        }
    }
}

fn start(router: &Namespace, direction: Direction, links: &[String]) -> Result<Agent> {
    let side = match direction {
        Direction::Up => "near",
        Direction::Down => "far",
    };
    let links: Vec<_> = links.iter().map(|link| format!("{link}:{side}")).collect();
    let arguments: Vec<_> = links.iter().flat_map(|link| ["--iface", link.as_str()]).collect();
    Agent::start(router, &arguments)
}
