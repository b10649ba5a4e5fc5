//! What the agent measures: counters with the rates of the last second.

mod explain;
mod host_rates;
mod hosts;
mod meter;
mod pressure;
mod ranking;
mod stream;
mod top;
mod view;

use std::time::{Duration, Instant};

pub use explain::{BucketView, HostExplained, LastExcessView, LevelFlowView, LevelKind, LevelView};
pub use host_rates::HostRates;
pub use hosts::{HostQuery, HostSort};
pub use meter::grown;
pub use stream::every_nth;
pub use top::{TOP, TopHosts};
pub use view::{
    FlowView, GroupUsageView, HostFlowView, HostView, HostsView, LimitUsageView, LinkView,
    ReasonView, StatsView, TallyView, hook_name, side_name,
};

use crate::{
    datapath::Counters,
    events::What,
    policy::{GroupName, LimitKey},
};

/// How often the counters are sampled.
pub const PERIOD: Duration = Duration::from_secs(1);

/// Rates of links, groups and limits, kept up by one sample a second.
#[derive(Debug, Default)]
pub struct Telemetry {
    links: meter::Meter<u32>,
    groups: meter::Meter<GroupName>,
    limits: meter::Meter<LimitKey>,
    pressure: pressure::Pressure,
    pressure_event: Option<What>,
}

impl Telemetry {
    /// Works out the rates since the last counters, which are older by as much as this is called later.
    pub fn update(&mut self, counters: &Counters) -> StatsView {
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
        let stats = self.stats(counters);
        if let Some(event) = self.pressure.update(stats.hosts.overflowed) {
            pressure::log(event, stats.hosts);
            self.pressure_event = Some(pressure::tell(event, stats.hosts));
        }
        stats
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
}
