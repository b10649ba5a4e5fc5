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
    body::Bytes,
    extract::{
        DefaultBodyLimit, Request, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{Method, StatusCode, Uri},
    middleware::map_request_with_state,
    routing::{get, post},
};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::{
    agent::Agent,
    error::{Error, Kind, Result, ResultExt},
};

/// Larger than any request there is, but for a whole policy.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Room for a policy of some 100,000 limits with everything that a limit can have.
const MAX_POLICY_BYTES: usize = 64 * 1024 * 1024;

/// What a handler returns.
type Answer<T> = std::result::Result<Json<T>, Refusal>;

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
        .route(
            "/v1/policy",
            get(policy::show).put(policy::apply).layer(DefaultBodyLimit::max(MAX_POLICY_BYTES)),
        )
        .route("/v1/hosts", get(hosts::list))
        .route("/v1/hosts/{*address}", get(hosts::show))
        .route("/v1/stats", get(stats::stats))
        .route("/v1/stats/stream", get(stats::stream))
        .route("/v1/events", get(events::events))
        .route("/v1/detach", post(detach::detach))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(map_request_with_state(Arc::clone(&agent), count))
        .with_state(agent)
}

async fn count(State(agent): State<Arc<Agent>>, request: Request) -> Request {
    agent.work.answered();
    request
}

/// What everyone else hears, whatever they ask.
pub(super) fn refused() -> Router {
    Router::new().fallback(async || {
        Refusal::from(
            Error::not_permitted("only root and members of group throttle may use the agent")
                .hint("run it as root, for instance with sudo"),
        )
    })
}

async fn unknown(method: Method, uri: Uri) -> Refusal {
    Error::not_found(format_args!("the agent knows no {method} {}", uri.path())).into()
}

async fn unknown_method(method: Method, uri: Uri) -> (StatusCode, Json<Refusal>) {
    let error = Error::usage(format_args!("the agent knows no {method} {}", uri.path()));
    (StatusCode::METHOD_NOT_ALLOWED, Json(error.into()))
}

/// Reads a body of JSON.
fn body<T: DeserializeOwned>(body: std::result::Result<Bytes, BytesRejection>) -> Result<T> {
    let body = body.doing(Kind::Usage, || "reading the request's body")?;
    // An array would be taken for the values without their keys, and an empty one for the default.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::usage("the request's body is no JSON object: write {\"key\": value}"));
    }
    let read = serde_json::from_slice(&body);
    read.map_err(|error| Error::usage(in_words(&error)).context("reading the request's JSON"))
}

/// Reads the part of an address behind the question mark.
fn query<T>(query: std::result::Result<axum::extract::Query<T>, QueryRejection>) -> Result<T> {
    let read = query.map_err(|error| {
        Error::usage(in_words(&error.body_text())).context("reading the request's query")
    });
    Ok(read?.0)
}

/// What serde says, without the names of integer types.
fn in_words(message: &impl std::fmt::Display) -> String {
    let message = message.to_string();
    let plain =
        [("a nonzero u32", "a whole number above 0"), ("u64", "a whole number of at least 0")];
    plain.iter().fold(message, |message, (name, words)| {
        message.replace(&format!("expected {name}"), &format!("expected {words}"))
    })
}
