//! `/v1/status` and `/v1/stats`.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;

use super::{Answer, query};
use crate::{
    agent::{Agent, status_warnings},
    control::{LinkSummary, StatusView, StreamQuery, refusal::Refusal, server::told_to_stop},
    telemetry::{self, StatsView},
};

pub(super) async fn status(State(agent): State<Arc<Agent>>) -> Answer<StatusView> {
    let (links, limits, hosts, warnings) = agent
        .with(|engine, telemetry| {
            let hosts = telemetry.stats(&engine.counters()?).hosts;
            let (links, limits) = (engine.links(), engine.limits());
            let warnings = status_warnings(telemetry, hosts, &limits, &links);
            Ok((links, limits.len(), hosts, warnings))
        })
        .await?;
    let info = &agent.info;
    Ok(Json(StatusView {
        instance: info.instance.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_seconds: info.started.elapsed().as_secs_f64(),
        adopted: info.adopted,
        control_socket: info.socket.display().to_string(),
        links: links.iter().map(LinkSummary::from).collect(),
        limits,
        hosts,
        warnings,
    }))
}

pub(super) async fn stats(State(agent): State<Arc<Agent>>) -> Answer<StatsView> {
    let read = agent.with(|engine, telemetry| Ok(telemetry.stats(&engine.counters()?))).await;
    Ok(Json(read?))
}

pub(super) async fn stream(
    State(agent): State<Arc<Agent>>,
    asked: Result<Query<StreamQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let every = query(asked)?.every_seconds;
    let mut stopping = agent.stopping();
    let stopped = Box::pin(async move { told_to_stop(&mut stopping).await });
    let lines = telemetry::lines(agent.samples(), every).take_until(stopped);
    Ok(([(CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response())
}
