//! What the agent measures: counters with the rates of the last second.

mod explain;
mod hosts;
mod meter;
mod pressure;
mod stream;
mod top;
mod view;

use std::time::{Duration, Instant};

pub use explain::{BucketView, HostExplained, LastExcessView, LevelFlowView, LevelKind, LevelView};
pub use hosts::{HostQuery, HostSort};
pub use stream::every_nth;
pub use top::{TOP, TopHosts};
pub use view::{
    FlowView, GroupUsageView, HostFlowView, HostView, HostsView, LimitUsageView, LinkView,
    ReasonView, StatsView, TallyView, hook_name, side_name,
};

use crate::{
    agent::Engine,
    datapath::{Counters, Explanation, HostState},
    error::Result,
    events::What,
    policy::{GroupName, LimitKey},
};

/// How often the counters are sampled.
pub const PERIOD: Duration = Duration::from_secs(1);

/// Reading all hosts takes at most this share of one processor: one part in so many.
const HOSTS_SHARE: u32 = 20;

/// Rates of links, groups, limits and hosts, kept up by one sample a second.
#[derive(Debug, Default)]
pub struct Telemetry {
    links: meter::Meter<u32>,
    groups: meter::Meter<GroupName>,
    limits: meter::Meter<LimitKey>,
    hosts: meter::Meter<std::net::IpAddr>,
    hosts_due: Option<Instant>,
    pressure: pressure::Pressure,
    pressure_event: Option<What>,
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
        self.groups.update(
            now,
            counters.groups.iter().map(|counters| {
                (counters.name.clone(), [counters.up.passed.bytes, counters.down.passed.bytes])
            }),
        );
        self.limits.update(
            now,
            counters.limits.iter().map(|counters| {
                let key = LimitKey { prefix: counters.prefix, matches: counters.matches };
                (key, [counters.up.passed.bytes, counters.down.passed.bytes])
            }),
        );
        if self.hosts_due.is_none_or(|due| due <= now) {
            self.sample_hosts(engine)?;
        }
        let stats = self.stats(&counters);
        if let Some(event) = self.pressure.update(stats.hosts.overflowed) {
            pressure::log(event, stats.hosts);
            self.pressure_event = Some(pressure::tell(event, stats.hosts));
        }
        Ok(stats)
    }

    /// What the last sample has told of the host table, once.
    pub fn take_event(&mut self) -> Option<What> {
        self.pressure_event.take()
    }

    /// Whether hosts find no room in the host table.
    #[must_use]
    pub fn under_pressure(&self) -> bool {
        self.pressure.is_on()
    }

    fn sample_hosts(&mut self, engine: &dyn Engine) -> Result<()> {
        let begun = Instant::now();
        self.hosts.update_each(begun, |take| engine.host_bytes(take))?;
        let now = Instant::now();
        // Half a period of slack, so that a tick that comes a little early is not skipped.
        self.hosts_due = Some(begun + (PERIOD / 2).max((now - begun) * HOSTS_SHARE));
        Ok(())
    }

    /// The counters with the rates of the last sample.
    #[must_use]
    pub fn stats(&self, counters: &Counters) -> StatsView {
        StatsView::new(
            counters,
            view::RatesOf {
                link: &|ifindex| self.links.bits_per_second(&ifindex),
                group: &|name| self.groups.bits_per_second(name),
                limit: &|key| self.limits.bits_per_second(&key),
            },
        )
    }

    /// What decides about one host of `engine`, with the rates of the last sample.
    #[must_use]
    pub fn explain(&self, engine: &dyn Engine, explained: &Explanation) -> HostExplained {
        let rates = self.hosts.bits_per_second(&explained.address);
        HostExplained::new(explained, engine.ipv6_host_prefix(), rates)
    }

    /// The first hosts of every order, with the rates of the last sample.
    ///
    /// # Errors
    /// Reading the maps failed.
    pub fn top(&self, engine: &dyn Engine) -> Result<TopHosts> {
        let hosts = engine.hosts()?;
        Ok(TopHosts::new(hosts.iter().map(|host| self.host(engine, host)).collect()))
    }

    /// One host of `engine` with the rates of the last sample.
    #[must_use]
    pub fn host(&self, engine: &dyn Engine, host: &HostState) -> HostView {
        let rates = self.hosts.bits_per_second(&host.address);
        HostView::new(host, engine.ipv6_host_prefix(), rates)
    }
}
