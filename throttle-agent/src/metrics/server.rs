//! Answers over TCP, within bounds on what peers can make the agent do.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::{pace::Pace, routes};
use crate::agent::Agent;

/// Connections at a time; further ones are closed at once.
const MOST_CONNECTIONS: usize = 32;

/// A peer that does not finish its request line and headers in this time is cut off.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// A connection takes no further requests after this time. Browsers and Prometheus make another one.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// An answer that is not taken in this time after that is cut off.
const FAREWELL: Duration = Duration::from_secs(5);

/// Buffer for the headers of one request, the least that hyper accepts.
const HEADER_BYTES: usize = 8192;

/// Pause after a connection could not be accepted, so as not to spin while descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests as long as the event loop runs.
///
/// `top_hosts` hosts have metrics of their own.
pub async fn serve(listener: std::net::TcpListener, agent: Arc<Agent>, top_hosts: usize) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("metrics are not served: listening with the event loop: {error}");
            return;
        }
    };
    // Before the first sample, everything would be told to be 0.
    let mut samples = agent.samples();
    if samples.wait_for(|stats| !stats.reasons.is_empty()).await.is_err() {
        return;
    }
    let router = routes::router(agent, top_hosts, is_private(&listener));
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let pace = Pace::new();
    loop {
        pace.turn(1).await;
        match listener.accept().await {
            // Without room, dropping the stream closes it.
            Ok((stream, _)) => {
                if let Ok(permit) = Arc::clone(&room).try_acquire_owned() {
                    tokio::spawn(connection(stream, router.clone(), permit));
                }
            }
            Err(error) => {
                tracing::warn!("accepting a connection on the metrics address: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only this machine can connect.
fn is_private(listener: &TcpListener) -> bool {
    listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback())
}

/// Serves one peer for a while.
async fn connection(stream: TcpStream, router: Router, _permit: OwnedSemaphorePermit) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => Ok(served),
        () = sleep(CONNECTION_TIME) => {
            connection.as_mut().graceful_shutdown();
            timeout(FAREWELL, connection).await
        }
    };
    match served {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("connection on the metrics address: {error}"),
        Err(_) => tracing::debug!("connection on the metrics address cut off: it reads too slowly"),
    }
}
