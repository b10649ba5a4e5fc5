//! Requests and who answers them.

mod detach;
mod events;
mod groups;
mod hosts;
mod limits;
mod links;
mod policy;
mod stats;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode, Uri},
    middleware::map_request_with_state,
    routing::{get, post},
};

use super::refusal::Refusal;
use crate::{agent::Agent, error::Error};

/// What a handler returns.
type Answer<T> = Result<Json<T>, Refusal>;

/// What admitted peers can ask.
pub(super) fn router(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/v1/status", get(stats::status))
        .route("/v1/limits", get(limits::list))
        .route("/v1/limits/{*prefix}", get(limits::show).put(limits::set).delete(limits::delete))
        .route("/v1/groups", get(groups::list))
        .route("/v1/groups/{name}", get(groups::show).put(groups::set).delete(groups::delete))
        .route("/v1/links", get(links::list))
        .route("/v1/links/{interface}", get(links::show).put(links::set))
        .route("/v1/policy", get(policy::show).put(policy::apply))
        .route("/v1/hosts", get(hosts::list))
        .route("/v1/hosts/{*address}", get(hosts::show))
        .route("/v1/stats", get(stats::stats))
        .route("/v1/stats/stream", get(stats::stream))
        .route("/v1/events", get(events::events))
        .route("/v1/detach", post(detach::detach))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown_method)
        .layer(map_request_with_state(Arc::clone(&agent), count))
        .with_state(agent)
}

/// Looking up a host or a limit, for the web page.
pub(crate) fn look_ups(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/hosts/{*address}", get(hosts::show))
        .route("/limits/{*prefix}", get(limits::show))
        .with_state(agent)
}

async fn count(State(agent): State<Arc<Agent>>, request: Request) -> Request {
    agent.work.answered();
    request
}

/// Answers everything with an error.
pub(super) fn refusing(error: Error) -> Router {
    let refusal = Refusal::from(error);
    Router::new().fallback(async move || refusal)
}

async fn unknown(method: Method, uri: Uri) -> Refusal {
    Error::not_found(format_args!("the agent knows no {method} {}", uri.path())).into()
}

async fn unknown_method(method: Method, uri: Uri) -> Refusal {
    let error = Error::usage(format_args!("the agent knows no {method} {}", uri.path()));
    Refusal::with_status(StatusCode::METHOD_NOT_ALLOWED, error)
}
