//! `/v1/status` and `/v1/stats`.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use futures_util::StreamExt;

use super::Answer;
use crate::{
    agent::{Agent, status_warnings},
    control::{
        LinkSummary, StatusView, StreamQuery,
        request::Asked,
        stream::{self, Form, Item},
    },
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
    form: Form,
    Asked(asked): Asked<StreamQuery>,
) -> Response {
    let samples = telemetry::every_nth(agent.samples(), asked.every_seconds);
    stream::answer(&agent, form, samples.map(|sample| Item::new(&*sample)))
}
