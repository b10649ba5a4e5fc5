//! The agent's end of the socket.
//!
//! | a peer that | is |
//! | --- | --- |
//! | is one of too many, see [`places`](super::places) | told so, and hung up on |
//! | sends no whole head of a request in time, or one that is too long, or garbage | hung up on |
//! | sends its body too slowly, or too much, see [`request`](super::request) | told so, and hung up on |
//! | does not read its answer, see [`patient`](super::patient) | hung up on |
//! | closes its end, even half of it | hung up on |

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use nix::unistd::{Gid, Uid};
use tokio::{
    net::{UnixListener, UnixStream, unix::UCred},
    sync::watch,
    task::{self, JoinSet},
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{
    gate,
    patient::Patient,
    places::{Place, Places},
    routes,
};
use crate::{agent::Agent, error::Error};

/// A peer that does not finish its request line and headers in this time is cut off, and so is one
/// that asks for nothing more.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// Request line and headers together; as much of an answer is kept for a peer that reads slowly.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Peers without a place that are told so at the same time.
const MAX_TURNED_AWAY: usize = 64;

/// Answers that are under way when the agent stops get this long to finish.
const FAREWELL: Duration = Duration::from_secs(2);

/// Pause after a connection could not be accepted, so as not to spin while descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until the agent is asked to stop.
pub async fn serve(listener: UnixListener, agent: &Arc<Agent>) {
    let mut stopping = agent.stopping();
    let mut reception = Reception::new(agent);
    while !*stopping.borrow_and_update() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => reception.receive(stream),
                Err(error) => {
                    tracing::warn!("accepting a connection on the control socket: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = reception.guests.join_next() => {}
            Some(_) = reception.turned_away.join_next() => {}
            _ = stopping.changed() => {}
        }
    }
    let all_done = async { while reception.guests.join_next().await.is_some() {} };
    if timeout(FAREWELL, all_done).await.is_err() {
        tracing::debug!("connections cut off at exit");
    }
}

/// Who is connected.
struct Reception {
    router: Router,
    stopping: watch::Receiver<bool>,
    places: Places,
    guests: JoinSet<()>,
    turned_away: JoinSet<()>,
}

impl Reception {
    fn new(agent: &Arc<Agent>) -> Self {
        Self {
            router: routes::router(Arc::clone(agent)),
            stopping: agent.stopping(),
            places: Places::default(),
            guests: JoinSet::new(),
            turned_away: JoinSet::new(),
        }
    }

    /// Serves a peer, or tells it why not.
    fn receive(&mut self, stream: UnixStream) {
        let peer = match stream.peer_cred() {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!("asking who a peer of the control socket is: {error}");
                return;
            }
        };
        match self.places.take(Uid::from_raw(peer.uid())) {
            Ok(place) => {
                let guest = guest(stream, peer, place, self.router.clone(), self.stopping.clone());
                let span = tracing::info_span!("peer", uid = peer.uid(), pid = peer.pid());
                self.guests.spawn(guest.instrument(span));
            }
            Err(error) => self.turn_away(stream, peer, error),
        }
    }

    /// Answers the first request with the error, if not too many others wait for the same.
    fn turn_away(&mut self, stream: UnixStream, peer: UCred, error: Error) {
        tracing::debug!(uid = peer.uid(), "turned away a peer of the control socket: {error}");
        if self.turned_away.len() < MAX_TURNED_AWAY {
            let router = routes::refusing(error);
            self.turned_away.spawn(converse(stream, router, self.stopping.clone(), false));
        }
    }
}

/// Serves a peer that has a place, if it is admitted.
///
/// Whoever is admitted has been so since it connected: what it becomes later makes no difference.
async fn guest(
    stream: UnixStream,
    peer: UCred,
    _place: Place,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    if is_admitted(peer).await {
        converse(stream, router, stopping, true).await;
    } else {
        tracing::warn!("refused a peer of the control socket");
        converse(stream, routes::refusing(gate::stranger()), stopping, false).await;
    }
}

/// Answers requests of one connection, or only its first, until either end has enough.
async fn converse(
    stream: UnixStream,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    keep_alive: bool,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEADER_BYTES)
        .keep_alive(keep_alive)
        .serve_connection(TokioIo::new(Patient::new(stream)), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = told_to_stop(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("connection on the control socket: {error}");
    }
}

/// Returns when the agent is asked to stop, or is gone.
pub(super) async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _gone = stopping.wait_for(|stopping| *stopping).await.is_err();
}

/// The group database may be on a network: the look-up stays off the event loop.
async fn is_admitted(peer: UCred) -> bool {
    let (uid, gid) = (Uid::from_raw(peer.uid()), Gid::from_raw(peer.gid()));
    task::spawn_blocking(move || gate::admits(uid, gid)).await.unwrap_or(false)
}
