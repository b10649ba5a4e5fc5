//! The life of the agent, from start to signal.

use std::{
    net::TcpListener,
    os::unix::net::UnixListener,
    sync::Arc,
    time::{Duration, Instant},
};

use aya_log::EbpfLogger;
use tokio::{
    net,
    runtime::{self, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{Agent, Info, RunOptions, exceeding, log, netns, notify, privileges, start};
use crate::{
    control,
    datapath::{ExcessEvents, InstanceLock, LinkStatus},
    error::{Kind, Result, ResultExt},
    events::What,
    fault,
    links::{self, Desired, LinkSpec},
    metrics::{self, MetricsAddress},
    telemetry,
};

/// How long a host that traffic has made stays in the host table without a packet.
const HOST_IDLE: Duration = Duration::from_secs(300);

/// How often idle hosts are looked for.
const EXPIRY_PERIOD: Duration = Duration::from_secs(2);

/// One may work on the datapath at a time; the others read the host table, and look up who a peer is.
const BLOCKING_THREADS: usize = 4;

/// Runs an agent until it is told to stop. What it enforces outlives it, unless told otherwise.
///
/// # Errors
/// Anything that keeps it from starting; what was in force before still is.
pub fn run(options: &RunOptions) -> Result<()> {
    log::start(options.verbose, options.kernel_log, options.color)?;
    privileges::check(options.netns.is_some())?;
    // Before any thread is spawned: a thread enters for itself and its children only.
    options.netns.as_ref().map_or(Ok(()), netns::NetnsName::enter)?;
    let netns = netns::NetnsId::of_this_thread(options.netns.clone())?;
    // Freed last: whoever has it next finds the socket, the pins and what is saved as this process leaves
    // them.
    let lock = Arc::new(InstanceLock::take(&options.datapath())?);
    fault::after("locking the instance");
    let mut store = start::store(options)?;
    start::check_links(store.stated_links())?;
    let socket = options.instance.socket(&options.run_dir);
    let (listener, socket_file) = control::claim(&socket)?;
    // While a privileged port may still be had.
    let metrics = options.settings.metrics.map(MetricsAddress::listen).transpose()?;
    let runtime = event_loop()?;
    let (mut engine, new) = start::open(options, &mut store, &lock)?;
    fault::after("putting the policy in force");
    let datapath = &mut engine.datapath;
    let (logger, excess_events) = (datapath.logger(), datapath.excess_events());
    let info = Info {
        instance: options.instance.clone(),
        socket,
        adopted: datapath.adopted(),
        started: Instant::now(),
    };
    let (links, limits) = (datapath.links().len(), datapath.each_limit().len());
    let specs = store.specs();
    let desired = Desired::new(specs.clone());
    let agent = Agent::new(info, Box::new(engine), socket_file).with_store(store);
    let agent = Arc::new(agent.following(desired, netns));
    // Before the event loop spawns threads: each keeps the capabilities that it begins with.
    privileges::keep_least()?;
    fault::after("giving up capabilities");
    announce(&agent.info, (links, &specs), limits);
    tell(&agent, links - new.len(), new);
    let top_hosts = options.metrics_hosts as usize;
    let live = Live { listener, metrics, top_hosts, logger, excess_events };
    runtime.block_on(live.until_told_to_end(&agent, options.detach_on_exit))
}

fn event_loop() -> Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .doing(Kind::Failed, || "starting the event loop")
}

/// What the event loop begins with.
struct Live {
    listener: UnixListener,
    metrics: Option<TcpListener>,
    /// Hosts that have metrics of their own.
    top_hosts: usize,
    logger: Option<EbpfLogger<&'static dyn ::log::Log>>,
    excess_events: Option<ExcessEvents>,
}

impl Live {
    /// Serves, then ends the agent.
    async fn until_told_to_end(self, agent: &Arc<Agent>, detach: bool) -> Result<()> {
        let pump = self.logger.map(|logger| tokio::spawn(log::pump(logger)));
        if let Some(listener) = self.metrics {
            tokio::spawn(metrics::serve(listener, Arc::clone(agent), self.top_hosts));
        }
        if let Some(events) = self.excess_events {
            tokio::spawn(exceeding::pump(Arc::clone(agent), events));
        }
        let served = serve(agent, self.listener).await;
        if let Some(pump) = pump {
            pump.abort();
        }
        fault::after("serving");
        let finished = finish(agent, detach).await;
        fault::after("letting go");
        finished.and(served)
    }
}

/// Tells listeners of the links it starts with.
fn tell(agent: &Agent, adopted: usize, new: Vec<LinkStatus>) {
    if adopted > 0 {
        agent.events.publish(What::ProgramReplaced { links: adopted });
    }
    for LinkStatus { interface, ifindex, .. } in new {
        let interface = interface.unwrap_or_default();
        agent.events.publish(What::LinkUp { interface, ifindex });
    }
}

fn announce(info: &Info, (links, specs): (usize, &[LinkSpec]), limits: usize) {
    if links == 0 && specs.is_empty() {
        tracing::warn!("attached to nothing: no packet is limited until it runs with --iface");
    }
    let (instance, socket) = (&info.instance, info.socket.display());
    let counts = counts(links, limits);
    eprintln!("ready: instance {instance}, {counts}, control socket {socket}");
}

fn counts(links: usize, limits: usize) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!("{links} link{}, {limits} limit{}", plural(links), plural(limits))
}

/// Reads the configuration file again at every SIGHUP, and tells the service manager how that went.
async fn reload_on(mut hangup: Signal, agent: Arc<Agent>) {
    while hangup.recv().await.is_some() {
        notify::reloading();
        match agent.reload().await {
            Ok((_, warnings)) => {
                warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                tell_ready(&agent).await;
            }
            Err(error) => {
                tracing::error!("the policy stays as it was: {error}");
                error.details().iter().for_each(|line| tracing::error!("{line}"));
                notify::ready(&format!("reload failed: {error}"));
            }
        }
    }
}

/// Tells the service manager what is in force.
async fn tell_ready(agent: &Arc<Agent>) {
    let read = agent.with(|engine| Ok(counts(engine.links().len(), engine.each_limit().len())));
    // It fails at the end of the agent only.
    if let Ok(status) = read.await {
        notify::ready(&status);
    }
}

/// Answers and samples until the agent is asked to stop.
async fn serve(agent: &Arc<Agent>, listener: UnixListener) -> Result<()> {
    let listener = net::UnixListener::from_std(listener)
        .doing(Kind::Failed, || "listening on the control socket")?;
    let watching = || "watching for signals";
    let mut terminate = signal(SignalKind::terminate()).doing(Kind::Failed, watching)?;
    let mut interrupt = signal(SignalKind::interrupt()).doing(Kind::Failed, watching)?;
    let hangup = signal(SignalKind::hangup()).doing(Kind::Failed, watching)?;
    tokio::spawn(reload_on(hangup, Arc::clone(agent)));
    let stopper = Arc::clone(agent);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopper.stop();
    });
    tokio::spawn(links::watch(Arc::clone(agent)));
    tokio::spawn(repeat(Arc::clone(agent), telemetry::PERIOD, "sampling counters", sample));
    tokio::spawn(repeat(Arc::clone(agent), EXPIRY_PERIOD, "forgetting idle hosts", expire));
    tell_ready(agent).await;
    control::serve(listener, agent).await;
    notify::stopping();
    Ok(())
}

/// Works once a period until the agent is asked to stop; a failure is logged under `doing`.
async fn repeat<W: Future<Output = Result<()>>>(
    agent: Arc<Agent>,
    period: Duration,
    doing: &str,
    work: impl Fn(Arc<Agent>) -> W,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = agent.stopping();
    while !*stopping.borrow_and_update() {
        tokio::select! {
            _ = ticks.tick() => {
                match work(Arc::clone(&agent)).await {
                    // `detach --all` has been faster.
                    Err(error) if error.kind() == Kind::NotRunning => {}
                    Err(error) => tracing::warn!("{doing}: {error}"),
                    Ok(()) => {}
                }
            }
            _ = stopping.changed() => {}
        }
    }
}

async fn sample(agent: Arc<Agent>) -> Result<()> {
    agent.sample().await
}

/// Makes room in the host table.
async fn expire(agent: Arc<Agent>) -> Result<()> {
    let expired = agent.expire(HOST_IDLE).await?;
    agent.work.expired(expired);
    tracing::debug!(expired, "idle hosts forgotten");
    Ok(())
}

async fn finish(agent: &Arc<Agent>, detach: bool) -> Result<()> {
    if detach {
        return match agent.stop_enforcing().await {
            // `detach --all` has just done it.
            Err(error) if error.kind() == Kind::NotRunning => Ok(()),
            done => done,
        };
    }
    agent.release().await;
    Ok(())
}
