//! What the agent does by itself once a second or two, without keeping anyone from the engine for long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Agent, blocking};
use crate::{
    datapath::Counters,
    error::Result,
    telemetry::{HostView, TopHosts},
};

/// Hosts that are looked up in one turn at the engine.
pub const HOSTS_PER_TURN: usize = 512;

impl Agent {
    /// Takes one sample and passes it to everyone who listens.
    ///
    /// # Errors
    /// Reading the counters failed.
    pub async fn sample(self: &Arc<Self>) -> Result<()> {
        let begun = Instant::now();
        let agent = Arc::clone(self);
        let ways = blocking(move || Ok(agent.hosts.sample())).await?;
        let hosts = self.hosts_in(&ways).await?;
        let top = blocking(move || Ok(TopHosts::new(hosts))).await?;
        let counters = self.counters().await?;
        let agent = Arc::clone(self);
        let (sample, event) = blocking(move || {
            let mut telemetry = agent.telemetry();
            Ok((telemetry.update(&counters), telemetry.take_event()))
        })
        .await?;
        self.work.sampled(begun.elapsed());
        // Who waits for the sample finds the hosts that go with it.
        self.top_hosts.send_replace(Arc::new(top));
        event.into_iter().for_each(|event| self.events.publish(event));
        self.samples.send_replace(Arc::new(sample));
        Ok(())
    }

    /// Reads every counter that is not per host.
    ///
    /// # Errors
    /// Reading them failed.
    pub async fn counters(self: &Arc<Self>) -> Result<Counters> {
        let read = self.with(|engine| engine.counter_reader()).await?;
        blocking(read).await
    }

    /// The hosts in these ways of the host table, with the rates of the last sample; ways without a host
    /// are left out.
    ///
    /// # Errors
    /// Reading them failed.
    pub async fn hosts_in(self: &Arc<Self>, ways: &[u32]) -> Result<Vec<HostView>> {
        let mut views = Vec::with_capacity(ways.len());
        for ways in ways.chunks(HOSTS_PER_TURN) {
            let ways = ways.to_vec();
            let read = move |engine: &mut dyn super::Engine| {
                Ok((engine.hosts_in(&ways)?, engine.ipv6_host_prefix()))
            };
            let (hosts, bits) = self.with(read).await?;
            views.extend(hosts.iter().map(|host| self.hosts.view(host, bits)));
        }
        Ok(views)
    }

    /// Forgets hosts that have been idle for `idle`, and does what had to wait; returns how many were
    /// forgotten. The table is searched beside the engine.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn expire(self: &Arc<Self>, idle: Duration) -> Result<usize> {
        while !self.with(|engine| engine.tidy()).await? {}
        self.with(|engine| engine.check_pacing()).await?;
        let mut search = self.with(move |engine| engine.idle_hosts(idle)).await?;
        let mut forgotten = 0;
        loop {
            let (found, rest) = blocking(move || Ok((search.next(), search))).await?;
            let Some(found) = found else { return Ok(forgotten) };
            forgotten += self.with(move |engine| engine.forget_hosts(&found)).await?;
            search = rest;
        }
    }
}
