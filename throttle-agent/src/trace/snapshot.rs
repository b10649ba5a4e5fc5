//! What reports are made of: everything that is known at one instant.

use std::{collections::HashMap, fs, sync::Arc, time::Instant};

use ipnet::IpNet;

use crate::{
    agent::{Agent, Engine},
    error::{Kind, Result, ResultExt},
    events::now_unix_ms,
    policy::{LimitKey, Match, RatesView},
    telemetry::{HostSort, HostView, StatsView, TopHosts, grown},
};

/// Hosts of each direction in a report.
const HOSTS_SHOWN: usize = 5;

/// The counters of one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When.
    pub at: Instant,
    /// When, in milliseconds since 1970, UTC.
    pub at_unix_ms: u64,
    /// Counters of links, limits and reasons.
    pub stats: Arc<StatsView>,
    /// The hosts that use most.
    pub hosts: Arc<TopHosts>,
    /// Rates of the links and of the limits that hold the hosts that are reported.
    pub rates: RatesInForce,
    /// What the process has used.
    pub process: ProcessUse,
    /// Requests answered.
    pub requests: u64,
    /// Idle hosts forgotten.
    pub hosts_expired: u64,
    /// How long the newest sample took, in nanoseconds.
    pub sample_ns: u64,
    /// Events that there have been.
    pub events: u64,
    /// Events that there were too many of to tell.
    pub events_lost: u64,
}

/// Rates up, down and of both together, of everything in a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RatesInForce {
    /// By the name of the interface.
    pub links: HashMap<String, [RatesView; 3]>,
    /// By the prefix of the limit.
    pub limits: HashMap<IpNet, [RatesView; 3]>,
}

/// What the process has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessUse {
    /// Time on processors, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory that is resident now, in bytes; the maps are the kernel's and do not count.
    pub resident_bytes: u64,
}

impl Snapshot {
    /// What is known now, with the newest sample.
    ///
    /// # Errors
    /// The agent is about to exit, or the kernel does not tell what the process uses.
    pub async fn take(agent: &Arc<Agent>) -> Result<Self> {
        let at = Instant::now();
        let stats = Arc::clone(&agent.samples().borrow());
        let hosts = Arc::clone(&agent.top_hosts().borrow());
        let names: Vec<_> = stats.links.iter().filter_map(|link| link.interface.clone()).collect();
        let prefixes: Vec<_> = shown(&hosts).into_iter().filter_map(|host| host.limit).collect();
        let rates = agent.with(move |engine| Ok(RatesInForce::read(engine, &names, &prefixes)));
        let at_unix_ms = now_unix_ms();
        Ok(Self {
            rates: rates.await?,
            at,
            at_unix_ms,
            stats,
            hosts,
            process: ProcessUse::read()?,
            requests: agent.work.requests(),
            hosts_expired: agent.work.hosts_expired(),
            sample_ns: agent.work.sample_ns(),
            events: agent.events.count(),
            events_lost: agent.events.lost(),
        })
    }

    /// Growth of a counter per second since an earlier snapshot; a counter that shrank began anew.
    pub(super) fn per_second(&self, before: &Self, then: u64, now: u64) -> u64 {
        let elapsed = self.at.saturating_duration_since(before.at).as_secs_f64();
        let grown = grown(then, now);
        // At most what the counter holds, which a rate of so many per second cannot exceed.
        if elapsed > 0.0 { (grown as f64 / elapsed).round() as u64 } else { 0 }
    }
}

/// The hosts that a report names: the first of each direction, once, if there is anything to tell.
pub(super) fn shown(hosts: &TopHosts) -> Vec<&HostView> {
    let mut shown: Vec<&HostView> = Vec::new();
    for sort in [HostSort::Down, HostSort::Up] {
        for host in hosts.by(sort).take(HOSTS_SHOWN) {
            let is_busy = [&host.up, &host.down].iter().any(|flow| flow.flow.bits_per_second > 0);
            if is_busy && !shown.iter().any(|known| known.host == host.host) {
                shown.push(host);
            }
        }
    }
    shown
}

impl RatesInForce {
    fn read(engine: &dyn Engine, interfaces: &[String], prefixes: &[IpNet]) -> Self {
        let of_link = |name: &String| {
            let limit = engine.link_limit(name)?;
            Some((name.clone(), [limit.up, limit.down, limit.total].map(RatesView::from)))
        };
        let of_limit = |&prefix: &IpNet| {
            let limit = engine.limit(&LimitKey { prefix, matches: Match::Host })?;
            Some((prefix, [limit.up, limit.down, limit.total].map(RatesView::from)))
        };
        Self {
            links: interfaces.iter().filter_map(of_link).collect(),
            limits: prefixes.iter().filter_map(of_limit).collect(),
        }
    }
}

impl ProcessUse {
    /// What this process has used.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn read() -> Result<Self> {
        use nix::{
            time::{ClockId, clock_gettime},
            unistd::{SysconfVar, sysconf},
        };
        let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
            .doing(Kind::Failed, || "reading the clock of the process")?;
        let seconds = u64::try_from(used.tv_sec()).unwrap_or_default();
        let nanoseconds = u64::try_from(used.tv_nsec()).unwrap_or_default();
        let text = fs::read_to_string("/proc/self/statm")
            .doing(Kind::Failed, || "reading /proc/self/statm")?;
        let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        let page_bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
        let page_bytes = u64::try_from(page_bytes).unwrap_or(4096);
        Ok(Self {
            cpu_ns: seconds * 1_000_000_000 + nanoseconds,
            resident_bytes: pages.unwrap_or_default() * page_bytes,
        })
    }
}
