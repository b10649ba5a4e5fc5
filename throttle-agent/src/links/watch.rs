//! Follows interfaces for as long as the agent runs.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::follow::follow;
use crate::{
    agent::{Agent, Engine},
    datapath::HookKind,
    error::{Kind, Result},
    netlink::{Changes, Watch},
};

/// How often to look whether TCX links are still attached: the kernel does not tell when others detach one.
const TCX_PERIOD: Duration = Duration::from_millis(250);

/// How often to look at everything, whatever the kernel has told.
const FULL_PERIOD: Duration = Duration::from_secs(30);

/// The shortest rest after a look: changes that follow are seen together.
const REST: Duration = Duration::from_millis(20);

/// A rest is so many times as long as the look took, so that a stream of changes among many interfaces
/// leaves time for other work.
const REST_SHARE: u32 = 4;

/// What to look at.
#[derive(Debug, Clone, Copy)]
struct Look {
    interfaces: bool,
    traffic_control: bool,
    tcx: bool,
}

impl Look {
    const EVERYWHERE: Self = Self { interfaces: true, traffic_control: true, tcx: true };
    const AT_TCX: Self = Self { interfaces: false, traffic_control: false, tcx: true };

    fn at(changes: Changes) -> Self {
        Self {
            interfaces: changes.interfaces || changes.lost,
            traffic_control: changes.traffic_control || changes.lost,
            tcx: changes.lost,
        }
    }
}

/// Keeps the links in line with the interfaces until the agent is asked to stop.
pub(crate) async fn watch(agent: Arc<Agent>) {
    let mut watch = Watch::open().inspect_err(|error| tracing::warn!("{error}")).ok();
    let mut full = interval(FULL_PERIOD);
    let mut tcx = interval(TCX_PERIOD);
    tcx.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = agent.stopping();
    while !*stopping.borrow_and_update() {
        // The first tick comes at once: what happened before the agent listened is seen then.
        let seen = tokio::select! {
            _ = full.tick() => Look::EVERYWHERE,
            _ = tcx.tick() => Look::AT_TCX,
            changes = changed(&mut watch) => Look::at(changes),
            _ = stopping.changed() => continue,
        };
        let began = Instant::now();
        match look(&agent, seen).await {
            // `detach --all` has removed everything.
            Err(error) if error.kind() == Kind::NotRunning => return,
            Err(error) => tracing::warn!("following interfaces: {error}"),
            Ok(()) => {}
        }
        // The next tick comes no sooner for being waited for.
        if seen.interfaces || seen.traffic_control {
            sleep(REST.max(began.elapsed() * REST_SHARE)).await;
        }
    }
}

/// Waits for a change; for ever where the kernel does not tell, which leaves the periods.
async fn changed(watch: &mut Option<Watch>) -> Changes {
    if let Some(open) = watch {
        match open.changed().await {
            Ok(changes) => return changes,
            Err(error) => {
                tracing::warn!("{error}");
                *watch = None;
            }
        }
    }
    std::future::pending().await
}

async fn look(agent: &Arc<Agent>, look: Look) -> Result<()> {
    let desired = Arc::clone(agent);
    let work = move |engine: &mut dyn Engine| {
        if look.interfaces {
            follow(engine, &mut desired.links.lock(), &desired.events)?;
        }
        if look.tcx {
            restore(engine, HookKind::Tcx);
        }
        if look.traffic_control {
            restore(engine, HookKind::Clsact);
            engine.check_pacing()?;
        }
        Ok(())
    };
    agent.with(work).await
}

/// Attaches again where others have detached the program.
fn restore(engine: &mut dyn Engine, kind: HookKind) {
    for link in engine.restore_hooks(kind) {
        let (interface, ifindex) = (link.interface.unwrap_or_default(), link.ifindex);
        tracing::warn!(
            interface,
            ifindex,
            "the program was detached by others, which left packets unlimited: attached again"
        );
    }
}
