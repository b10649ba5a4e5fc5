//! A router with an agent on its LAN link.

use anyhow::{Context as _, Result};

use crate::agent::Agent;
use crate::router::{End, Router};
use crate::traffic::{Direction, Family, rate_argument};

/// A router and the agent that limits its hosts.
#[derive(Debug)]
pub struct Lab {
    /// Declared before the router, so that it detaches while the interfaces are still there.
    pub agent: Agent,
    /// Where it runs.
    pub router: Router,
}

impl Lab {
    /// A router with one LAN, its link limited.
    pub fn new() -> Result<Self> {
        Self::with(Router::new()?, &["--iface", "lan0"])
    }

    /// An agent with these arguments of `run` in `router`.
    pub fn with(router: Router, arguments: &[&str]) -> Result<Self> {
        let agent = Agent::start(router.namespace(End::Router), arguments)?;
        Ok(Self { agent, router })
    }

    /// Limits one host in one direction, and lifts what limited it before.
    pub fn limit(
        &self,
        host: End,
        family: Family,
        direction: Direction,
        bits_per_second: u64,
    ) -> Result<()> {
        let (prefix, option) = (host.prefix(family), direction.option());
        self.limit_set(&format!("{prefix} {option} {}", rate_argument(bits_per_second)))
    }

    /// Limits what `prefix` says for each IP version, in both directions by the same rate.
    pub fn limit_both(
        &self,
        prefix: impl Fn(Family) -> String,
        scope: &str,
        bits_per_second: u64,
    ) -> Result<()> {
        let rate = rate_argument(bits_per_second);
        for prefix in Family::ALL.map(prefix) {
            self.limit_set(&format!("{prefix} --scope {scope} --up {rate} --down {rate}"))?;
        }
        Ok(())
    }

    /// Runs `limit set` with `words`.
    pub fn limit_set(&self, words: &str) -> Result<()> {
        self.agent.done(&format!("limit set {words}")).map(drop)
    }

    /// Packets that the agent counted by one reason.
    pub fn reason(&self, name: &str) -> Result<u64> {
        let stats: serde_json::Value = self.agent.json("stats")?;
        stats["reasons"][name].as_u64().with_context(|| format!("no reason {name}: {stats}"))
    }
}
