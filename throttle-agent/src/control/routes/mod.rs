//! Requests and who answers them.

mod detach;
mod hosts;
mod limits;
mod stats;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{Method, Uri},
    routing::{get, post},
};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::{
    agent::Agent,
    error::{Error, Kind, Result, ResultExt},
};

/// Larger than any request there is.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a handler returns.
type Answer<T> = std::result::Result<Json<T>, Refusal>;

/// What admitted peers can ask.
pub(super) fn router(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/v1/status", get(stats::status))
        .route("/v1/limits", get(limits::list))
        .route("/v1/limits/{*prefix}", get(limits::show).put(limits::set).delete(limits::delete))
        .route("/v1/hosts", get(hosts::list))
        .route("/v1/hosts/{*address}", get(hosts::show))
        .route("/v1/stats", get(stats::stats))
        .route("/v1/stats/stream", get(stats::stream))
        .route("/v1/detach", post(detach::detach))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(agent)
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
    Error::usage(format_args!("the agent knows no {method} {}", uri.path())).into()
}

/// Reads a body of JSON.
fn body<T: DeserializeOwned>(body: std::result::Result<Bytes, BytesRejection>) -> Result<T> {
    let body = body.doing(Kind::Usage, || "reading the request's body")?;
    serde_json::from_slice(&body).doing(Kind::Usage, || "reading the request's JSON")
}

/// Reads the part of an address behind the question mark.
fn query<T>(query: std::result::Result<axum::extract::Query<T>, QueryRejection>) -> Result<T> {
    Ok(query.doing(Kind::Usage, || "reading the request's query")?.0)
}
