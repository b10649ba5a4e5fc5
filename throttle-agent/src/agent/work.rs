//! How much the agent has done since it started.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Counters of the agent's own doings; each is read by itself.
#[derive(Debug, Default)]
pub struct Work {
    requests: AtomicU64,
    hosts_expired: AtomicU64,
    sample_ns: AtomicU64,
}

impl Work {
    /// Requests answered on the control socket.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Idle hosts forgotten.
    #[must_use]
    pub fn hosts_expired(&self) -> u64 {
        self.hosts_expired.load(Relaxed)
    }

    /// How long the newest sample took, in nanoseconds.
    #[must_use]
    pub fn sample_ns(&self) -> u64 {
        self.sample_ns.load(Relaxed)
    }

    /// A request was answered.
    pub fn answered(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// So many hosts were forgotten.
    pub fn expired(&self, hosts: usize) {
        self.hosts_expired.fetch_add(hosts as u64, Relaxed);
    }

    /// A sample took so long.
    pub fn sampled(&self, took: Duration) {
        self.sample_ns.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}
