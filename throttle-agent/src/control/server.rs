//! The agent's end of the socket.

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

use super::{gate, routes};
use crate::agent::Agent;

/// A peer that does not finish its request line and headers in this time is cut off.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// Answers that are under way when the agent stops get this long to finish.
const FAREWELL: Duration = Duration::from_secs(2);

/// Pause after a connection could not be accepted, so as not to spin while descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until the agent is asked to stop.
pub async fn serve(listener: UnixListener, agent: &Arc<Agent>) {
    let admitted = routes::router(Arc::clone(agent));
    let refused = routes::refused();
    let mut stopping = agent.stopping();
    let mut connections = JoinSet::new();
    while !*stopping.borrow_and_update() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let routers = [admitted.clone(), refused.clone()];
                    connections.spawn(connection(stream, routers, agent.stopping()));
                }
                Err(error) => {
                    tracing::warn!("accepting a connection on the control socket: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stopping.changed() => {}
        }
    }
    let all_done = async { while connections.join_next().await.is_some() {} };
    if timeout(FAREWELL, all_done).await.is_err() {
        tracing::debug!("connections cut off at exit");
    }
}

/// Serves one peer with the first router if it is admitted, else with the second.
async fn connection(
    stream: UnixStream,
    [admitted, refused]: [Router; 2],
    mut stopping: watch::Receiver<bool>,
) {
    let router = match stream.peer_cred() {
        Ok(peer) if is_admitted(peer).await => admitted,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "refused a peer of the control socket");
            refused
        }
        Err(error) => {
            tracing::warn!("asking who a peer of the control socket is: {error}");
            refused
        }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
