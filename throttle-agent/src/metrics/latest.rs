//! The newest sample, and when it was taken.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    agent::Agent,
    events::now_unix_ms,
    telemetry::{StatsView, TopHosts},
};

/// One sample of everything, to be read without waiting for the datapath.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// When it was taken, in milliseconds since 1970, UTC.
    pub(super) at_unix_ms: u64,
    /// Counters that are not per host.
    pub(super) stats: Arc<StatsView>,
    /// The hosts at the head of every list.
    pub(super) hosts: Arc<TopHosts>,
}

impl Sample {
    fn of(agent: &Agent) -> Self {
        let stats = agent.samples().borrow().clone();
        Self { at_unix_ms: now_unix_ms(), stats, hosts: agent.top_hosts().borrow().clone() }
    }
}

/// Notes the time of every sample, as long as someone listens.
pub(super) fn follow(agent: Arc<Agent>) -> watch::Receiver<Arc<Sample>> {
    let mut samples = agent.samples();
    let (sender, receiver) = watch::channel(Arc::new(Sample::of(&agent)));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = samples.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
            samples.mark_unchanged();
            sender.send_replace(Arc::new(Sample::of(&agent)));
        }
    });
    receiver
}
