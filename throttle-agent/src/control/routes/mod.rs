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
    Extension, Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header::CONTENT_TYPE},
    middleware::map_request_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    openapi::{self, Document, Preface},
    refusal::Refusal,
};
use crate::{
    agent::{Agent, blocking},
    error::{Error, Kind, ResultExt},
};

/// What a handler returns.
type Answer<T> = Result<Json<T>, Refusal>;

/// What admitted peers can ask.
pub(super) fn router(agent: Arc<Agent>) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Preface::openapi())
        .routes(routes!(openapi::show))
        .routes(routes!(stats::status))
        .routes(routes!(limits::list))
        .routes(routes!(limits::show, limits::set, limits::delete))
        .routes(routes!(groups::list))
        .routes(routes!(groups::show, groups::set, groups::delete))
        .routes(routes!(links::list))
        .routes(routes!(links::show, links::set))
        .routes(routes!(policy::show, policy::apply, policy::merge))
        .routes(routes!(policy::reload))
        .routes(routes!(hosts::list))
        .routes(routes!(hosts::show))
        .routes(routes!(stats::stats))
        .routes(routes!(stats::stream))
        .routes(routes!(events::events))
        .routes(routes!(detach::detach))
        .split_for_parts();
    router
        .layer(Extension(Document::new(document)))
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

/// An answer that may be long: it is made and written off the event loop, where others would wait.
async fn large<T: Serialize>(
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<Response, Refusal> {
    let written = move || serde_json::to_vec(&make()).doing(Kind::Failed, || "writing an answer");
    let text = blocking(written).await?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
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
