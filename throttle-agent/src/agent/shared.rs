//! What every task of the agent shares.

use std::{
    path::PathBuf,
    sync::{self, Arc, PoisonError},
    time::Instant,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    task,
};

use super::{Engine, NetnsId, Work};
use crate::{
    config::AgentKeys,
    control::SocketFile,
    error::{Error, Kind, Result, ResultExt},
    events::Events,
    fault,
    instance::Instance,
    links::Desired,
    saved::Store,
    telemetry::{HostRates, StatsView, Telemetry, TopHosts},
};

/// Facts about the process that never change.
#[derive(Debug, Clone)]
pub struct Info {
    /// The instance that it serves.
    pub instance: Instance,
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Whether it took over pins of an earlier process.
    pub adopted: bool,
    /// When it started.
    pub started: Instant,
}

/// The agent, as its tasks see it.
pub struct Agent {
    /// Facts about the process.
    pub info: Info,
    /// What happened.
    pub events: Events,
    /// How much it has done.
    pub work: Work,
    /// The links it should have.
    pub links: Desired,
    /// The network namespace that it works in.
    pub netns: NetnsId,
    /// What it was started with.
    pub settings: AgentKeys,
    /// Rates of all hosts; read without taking turns.
    pub hosts: HostRates,
    /// Rates of links, groups and limits; locked without taking turns.
    telemetry: sync::Mutex<Telemetry>,
    /// Locked before `state` where both are.
    store: Arc<Mutex<Store>>,
    /// One file is read after the other.
    pub(super) reloading: Mutex<()>,
    state: Arc<Mutex<Option<State>>>,
    pub(super) samples: watch::Sender<Arc<StatsView>>,
    pub(super) top_hosts: watch::Sender<Arc<TopHosts>>,
    stop: watch::Sender<bool>,
}

/// What is gone after `detach --all`.
struct State {
    engine: Box<dyn Engine>,
    /// Dropped with the rest, which removes the socket.
    _socket_file: SocketFile,
}

impl Agent {
    /// An agent around an engine that is ready to enforce.
    #[must_use]
    pub fn new(info: Info, engine: Box<dyn Engine>, socket_file: SocketFile) -> Self {
        let hosts = HostRates::new(engine.host_source());
        let state = State { engine, _socket_file: socket_file };
        Self {
            info,
            events: Events::default(),
            work: Work::default(),
            links: Desired::default(),
            netns: NetnsId::default(),
            settings: AgentKeys::default(),
            hosts,
            telemetry: sync::Mutex::default(),
            store: Arc::default(),
            reloading: Mutex::default(),
            state: Arc::new(Mutex::new(Some(state))),
            samples: watch::Sender::default(),
            top_hosts: watch::Sender::default(),
            stop: watch::Sender::default(),
        }
    }

    /// The same agent, which is to have these links in this namespace.
    #[must_use]
    pub fn following(self, links: Desired, netns: NetnsId) -> Self {
        Self { links, netns, ..self }
    }

    /// The same, with the policy that it desires; without, changes are forgotten with the process.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Self {
        self.settings = store.origin().settings;
        self.store = Arc::new(Mutex::new(store));
        self
    }

    /// The desired policy; who changes it holds it, and waits for it without taking a thread.
    pub(super) async fn store(&self) -> OwnedMutexGuard<Store> {
        Arc::clone(&self.store).lock_owned().await
    }

    /// Runs `work` on the engine, off the event loop; callers take turns, in the order in which they came.
    ///
    /// # Errors
    /// That of `work`, or [`Kind::NotRunning`] after [`detach_all`](Self::detach_all).
    pub async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut dyn Engine) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // No thread is taken for waiting.
        let mut state = Arc::clone(&self.state).lock_owned().await;
        blocking(move || work_on(&mut state, work)).await
    }

    /// Runs `work` on the engine, on this thread, which must not be that of the event loop.
    pub(super) fn locked<T>(&self, work: impl FnOnce(&mut dyn Engine) -> Result<T>) -> Result<T> {
        work_on(&mut self.state.blocking_lock(), work)
    }

    /// Rates of links, groups and limits, on a thread that is not that of the event loop: a large sample
    /// takes a while to work out.
    pub(crate) fn telemetry(&self) -> sync::MutexGuard<'_, Telemetry> {
        self.telemetry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Samples as they are taken, beginning with the newest one.
    #[must_use]
    pub fn samples(&self) -> watch::Receiver<Arc<StatsView>> {
        self.samples.subscribe()
    }

    /// The first hosts of every order, published just before the sample that they go with.
    #[must_use]
    pub fn top_hosts(&self) -> watch::Receiver<Arc<TopHosts>> {
        self.top_hosts.subscribe()
    }

    /// Asks the process to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Turns true when the process is asked to end.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Removes everything of the instance, the socket and what is saved included, and asks the process to
    /// end.
    ///
    /// # Errors
    /// Removal failed; the process ends nevertheless, since its datapath is gone.
    pub async fn detach_all(self: &Arc<Self>) -> Result<()> {
        self.remove(true).await
    }

    /// Stops enforcing and asks the process to end; changes that are saved stay.
    ///
    /// # Errors
    /// As with [`detach_all`](Self::detach_all).
    pub async fn stop_enforcing(self: &Arc<Self>) -> Result<()> {
        self.remove(false).await
    }

    async fn remove(self: &Arc<Self>, forget: bool) -> Result<()> {
        let mut store = self.store().await;
        let state = self.take().await;
        let removed = blocking(move || {
            let removed = state.ok_or_else(stopping)?.engine.remove().map(drop);
            fault::after("removing the instance");
            let forgotten = if forget { store.remove() } else { Ok(()) };
            removed.and(forgotten)
        })
        .await;
        self.stop();
        removed
    }

    /// Lets go of the engine and removes the socket; what is enforced stays in force.
    pub async fn release(&self) {
        let Some(State { engine, _socket_file }) = self.take().await else { return };
        // It fails where the runtime is about to end, which lets go as well.
        let _ = task::spawn_blocking(move || engine.release()).await;
    }

    async fn take(&self) -> Option<State> {
        self.state.lock().await.take()
    }
}

fn work_on<T>(
    state: &mut Option<State>,
    work: impl FnOnce(&mut dyn Engine) -> Result<T>,
) -> Result<T> {
    work(&mut *state.as_mut().ok_or_else(stopping)?.engine)
}

fn stopping() -> Error {
    Error::not_running("the agent is about to exit")
}

/// Runs `work` off the event loop.
///
/// # Errors
/// That of `work`.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    task::spawn_blocking(work).await.doing(Kind::Failed, || "working on the datapath")?
}
