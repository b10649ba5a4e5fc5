//! A router with one contestant in force, and its turns.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::contestant::Installed;
use super::{Contestant, Load};
use crate::bpf;
use crate::foreign::{Foreign, HOOKS, Place, Program};
use crate::interrupt;
use crate::router::{End, Router};
use crate::spoof::{Progress, SpoofedFlood};
use crate::traffic::Family;

/// A flood that has not come round its sources by then never will.
const PATIENCE: Duration = Duration::from_secs(100);
const STEP: Duration = Duration::from_millis(5);

/// A router with one contestant in force.
#[derive(Debug)]
pub(super) struct Rig {
    /// Declared before the router, so that it detaches while the interfaces are still there.
    installed: Installed,
    /// Counts at the server and drops there.
    arrivals: Foreign,
    router: Router,
    family: Family,
    room: u32,
}

/// What a flood met in one turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Packets made.
    pub(super) sent: u64,
    /// Those that came to the server.
    pub(super) arrived: u64,
    /// Packets made while the clock ran.
    pub(super) packets: u64,
    /// Time that the processor ran for them, from their making to their end.
    pub(super) running: Duration,
}

impl Turn {
    /// Time of one packet, in nanoseconds.
    pub(super) fn ns_per_packet(&self) -> f64 {
        self.running.as_nanos() as f64 / self.packets as f64
    }

    /// Those that came to the server, in percent.
    pub(super) fn arrived_percent(&self) -> f64 {
        self.arrived as f64 / self.sent as f64 * 100.0
    }
}

impl Rig {
    /// Sets up a router for one contestant, with room for so many sources.
    pub(super) fn new(
        contestant: Contestant,
        family: Family,
        load: Load,
        room: u32,
    ) -> Result<Self> {
        let router = Router::new()?;
        let [ingress, _] = HOOKS;
        let count = Program { least_bytes: 0, ..Program::answering(bpf::DROP) };
        let server = router.namespace(End::Server);
        let arrivals = Foreign::attach(server, "eth0", ingress, Place::TcxFirst, count)?;
        let installed = contestant
            .install(router.namespace(End::Router), family, load, room)
            .with_context(|| format!("setting up {}", contestant.name(load)))?;
        Ok(Self { installed, arrivals, router, family, room })
    }

    /// Lets each of the sources send a packet at least, and spends their bursts.
    pub(super) fn warm_up(&self, sources: u32) -> Result<()> {
        let flood = SpoofedFlood::start(&self.router, self.family, sources)?;
        wait(&flood, |progress| progress.packets >= 2 * u64::from(sources))?;
        flood.stop()?;
        if let Installed::Agent(agent) = &self.installed {
            let table = agent.host_table()?;
            let has_all = table.tracked >= sources.into() && table.overflowed == 0;
            ensure!(has_all || sources > self.room, "{sources} sources, yet {table:?}");
        }
        Ok(())
    }

    /// Floods until the processor has run for `window`, once all sources have come round.
    pub(super) fn turn(&self, sources: u32, window: Duration) -> Result<Turn> {
        let before = self.arrivals.seen()?.packets;
        let flood = SpoofedFlood::scattered(&self.router, self.family, sources)?;
        let from = wait(&flood, |progress| progress.packets >= u64::from(sources))?;
        let to = wait(&flood, |progress| progress.running >= from.running + window)?;
        let (sent, _) = flood.stop()?;
        let arrived = self.arrivals.seen()?.packets - before;
        let packets = to.packets - from.packets;
        Ok(Turn { sent, arrived, packets, running: to.running - from.running })
    }
}

/// Waits until a flood is so far.
fn wait(flood: &SpoofedFlood, is_enough: impl Fn(&Progress) -> bool) -> Result<Progress> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = flood.progress();
        if is_enough(&progress) {
            return Ok(progress);
        }
        ensure!(Instant::now() < deadline, "the flood is no further in {PATIENCE:?}: {progress:?}");
        interrupt::sleep(STEP)?;
    }
}
