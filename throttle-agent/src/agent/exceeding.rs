//! Hosts that begin to exceed their limit, as the program tells, and those that no longer do.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use throttle_common::abi::Direction;
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::{MissedTickBehavior, interval},
};

use super::{Agent, Engine};
use crate::{
    datapath::{Exceeding, ExcessEvents, HostState},
    error::{Kind, Result},
    events::{FlowName, What},
    policy::host_name,
};

/// Hosts and directions that are followed; those that begin to exceed beyond that count as lost events.
const FOLLOWED: usize = 4096;

/// A host without excess for so long conforms again.
const QUIET_NS: u64 = 3_000_000_000;

/// How often the hosts that exceed their limits are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Events that are told before others get their turn at the datapath.
const AT_ONCE: usize = 512;

/// Tells of hosts until the agent is asked to stop; whatever goes wrong is logged.
pub(super) async fn pump(agent: Arc<Agent>, events: ExcessEvents) {
    if let Err(error) = pump_until_stopped(agent, events).await
        // After `detach --all`, the process is about to end.
        && error.kind() != Kind::NotRunning
    {
        tracing::warn!("events of hosts are lost from now on: {error}");
    }
}

async fn pump_until_stopped(agent: Arc<Agent>, events: ExcessEvents) -> Result<()> {
    // SAFETY: the events own the ring buffer's descriptor, and with it the map, until they are dropped.
    let mut events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) }
        .map_err(anyhow::Error::new)?;
    let mut followed = Followed::default();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = agent.stopping();
    while !*stopping.borrow_and_update() {
        let (begun, is_tick): (Vec<_>, _) = tokio::select! {
            ready = events.readable_mut() => {
                let mut ready = ready.map_err(anyhow::Error::new)?;
                let begun: Vec<_> = ready.get_inner_mut().by_ref().take(AT_ONCE).collect();
                if begun.len() < AT_ONCE {
                    ready.clear_ready();
                }
                (begun, false)
            }
            _ = ticks.tick() => (Vec::new(), true),
            _ = stopping.changed() => continue,
        };
        let mut told;
        (followed, told) = agent
            .with(move |engine| {
                let mut told = Vec::new();
                let now = Instant::now();
                for exceeding in &begun {
                    followed.begin(engine, exceeding, now, &mut told)?;
                }
                if is_tick {
                    followed.look(engine, now, &mut told)?;
                }
                Ok((followed, told))
            })
            .await?;
        if is_tick {
            let lost = events.get_mut().newly_lost() + std::mem::take(&mut followed.lost);
            told.extend((lost > 0).then_some(What::EventsLost { count: lost }));
        }
        told.into_iter().for_each(|what| agent.events.publish(what));
    }
    Ok(())
}

/// Hosts that exceed their limits, by direction, and since when.
#[derive(Debug, Default)]
struct Followed {
    since: HashMap<(IpAddr, Direction), Instant>,
    /// Events of hosts that there was no room for.
    lost: u64,
}

impl Followed {
    /// Begins to follow a host, unless that is done already.
    fn begin(
        &mut self,
        engine: &dyn Engine,
        exceeding: &Exceeding,
        now: Instant,
        told: &mut Vec<What>,
    ) -> Result<()> {
        let is_full = self.since.len() >= FOLLOWED;
        match self.since.entry((exceeding.host, exceeding.direction)) {
            Entry::Occupied(_) => return Ok(()),
            Entry::Vacant(_) if is_full => {
                self.lost += 1;
                return Ok(());
            }
            Entry::Vacant(room) => room.insert(now),
        };
        let limit = engine.host(exceeding.host)?.and_then(|host| host.limit);
        told.push(What::HostExceeding {
            host: host_name(exceeding.host, engine.ipv6_host_prefix()),
            limit: limit.map(|prefix| prefix.to_string()),
            direction: flow_name(exceeding.direction),
            reason: exceeding.reason.name().to_owned(),
        });
        Ok(())
    }

    /// Looks which hosts conform again; one that is no longer in the table does.
    fn look(&mut self, engine: &dyn Engine, now: Instant, told: &mut Vec<What>) -> Result<()> {
        let mut quiet = Vec::new();
        for &(host, direction) in self.since.keys() {
            let state = engine.host(host)?;
            if let Some(ago_ns) = quiet_ns(state.as_ref(), direction) {
                quiet.push((host, direction, ago_ns));
            }
        }
        let bits = engine.ipv6_host_prefix();
        for (host, direction, ago_ns) in quiet {
            let Some(since) = self.since.remove(&(host, direction)) else { continue };
            let exceeded = (now - since).saturating_sub(Duration::from_nanos(ago_ns));
            told.push(What::HostConforming {
                host: host_name(host, bits),
                direction: flow_name(direction),
                seconds: exceeded.as_secs_f64(),
            });
        }
        Ok(())
    }
}

/// How long a host has conformed, if that is long enough.
fn quiet_ns(host: Option<&HostState>, direction: Direction) -> Option<u64> {
    let last = host.and_then(|host| host.last_excess[direction as usize]);
    let ago_ns = last.map_or(QUIET_NS, |last| last.ago_ns);
    (ago_ns >= QUIET_NS).then_some(ago_ns)
}

fn flow_name(direction: Direction) -> FlowName {
    match direction {
        Direction::Up => FlowName::Up,
        Direction::Down => FlowName::Down,
    }
}
