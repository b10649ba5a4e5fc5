//! What the agent measures: counters with the rates of the last second.

mod hosts;
mod meter;
mod stream;
mod view;

use std::time::{Duration, Instant};

pub use hosts::{HostQuery, HostSort};
pub use stream::lines;
pub use view::{
    FlowView, HostFlowView, HostView, HostsView, LimitUsageView, LinkView, StatsView, hook_name,
    side_name,
};

use crate::{
    agent::Engine,
    datapath::{Counters, HostState},
    error::Result,
};

/// How often the counters are sampled.
pub const PERIOD: Duration = Duration::from_secs(1);

/// Reading all hosts takes at most this share of one processor: one part in so many.
const HOSTS_SHARE: u32 = 20;

/// Rates of links, limits and hosts, kept up by one sample a second.
#[derive(Debug, Default)]
pub struct Telemetry {
    links: meter::Meter<u32>,
    limits: meter::Meter<ipnet::IpNet>,
    hosts: meter::Meter<std::net::IpAddr>,
    hosts_due: Option<Instant>,
}

impl Telemetry {
    /// Reads the counters and works out the rates since the last call.
    ///
    /// A host table so large that reading it takes long is read less often than once a second.
    ///
    /// # Errors
    /// Reading the maps failed.
    pub fn sample(&mut self, engine: &dyn Engine) -> Result<StatsView> {
        let counters = engine.counters()?;
        let now = Instant::now();
        self.links.update(
            now,
            counters.links.iter().map(|counters| {
                let passed = |tallies| view::passed_of(tallies).bytes;
                (counters.link.ifindex, [passed(&counters.up), passed(&counters.down)])
            }),
        );
        self.limits.update(
            now,
            counters.limits.iter().map(|counters| {
                (counters.prefix, [counters.up.passed.bytes, counters.down.passed.bytes])
            }),
        );
        if self.hosts_due.is_none_or(|due| due <= now) {
            self.sample_hosts(engine)?;
        }
        Ok(self.stats(&counters))
    }

    fn sample_hosts(&mut self, engine: &dyn Engine) -> Result<()> {
        let begun = Instant::now();
        let hosts = engine.hosts()?;
        let now = Instant::now();
        self.hosts.update(
            now,
            hosts.iter().map(|host| (host.address, [host.up.passed.bytes, host.down.passed.bytes])),
        );
        // Half a period of slack, so that a tick that comes a little early is not skipped.
        self.hosts_due = Some(begun + (PERIOD / 2).max((now - begun) * HOSTS_SHARE));
        Ok(())
    }

    /// The counters with the rates of the last sample.
    #[must_use]
    pub fn stats(&self, counters: &Counters) -> StatsView {
        StatsView::new(
            counters,
            |ifindex| self.links.bits_per_second(&ifindex),
            |prefix| self.limits.bits_per_second(&prefix),
        )
    }

    /// One host with the rates of the last sample.
    #[must_use]
    pub fn host(&self, host: &HostState) -> HostView {
        HostView::new(host, self.hosts.bits_per_second(&host.address))
    }
}
