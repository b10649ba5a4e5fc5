//! `/v1/status` and `/v1/stats`.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use futures_util::StreamExt;

use super::{Answer, large};
use crate::{
    agent::{Agent, blocking, link_warnings, may_warn_of, status_warnings},
    control::{
        LinkSummary, NetnsView, StatusView, StreamQuery,
        refusal::Refusal,
        request::Asked,
        stream::{self, Framing, Item},
    },
    error::Result,
    links::Surroundings,
    telemetry::{self, HostsView, StatsView},
};

/// Shows the agent and its links.
#[utoipa::path(
    get,
    path = "/v1/status",
    operation_id = "status",
    responses(
        (status = 200, description = "the agent", body = StatusView),
    )
)]
pub(super) async fn status(State(agent): State<Arc<Agent>>) -> Answer<StatusView> {
    let around = blocking(Surroundings::read).await?;
    let hosts = hosts(&agent).await?;
    let (reports, limits, warned_of) = agent
        .with(|engine| {
            let warned_of = engine.each_limit().filter(|limit| may_warn_of(limit));
            let warned_of: Vec<_> = warned_of.cloned().collect();
            Ok((engine.link_reports()?, engine.each_limit().len(), warned_of))
        })
        .await?;
    let asked = Arc::clone(&agent);
    let (links, mut warnings) = blocking(move || {
        let under_pressure = asked.telemetry().under_pressure();
        let warnings = status_warnings(under_pressure, hosts, &warned_of);
        let of_links = link_warnings(&warned_of, &reports, &around);
        let links = reports.iter().zip(of_links);
        let links = links.map(|(report, warnings)| LinkSummary::new(report, &around, warnings));
        Ok((links.collect::<Vec<_>>(), warnings))
    })
    .await?;
    let info = &agent.info;
    warnings.extend(agent.netns.warning());
    warnings.extend(links.iter().flat_map(|link| link.warnings.iter().cloned()));
    Ok(Json(StatusView {
        instance: info.instance.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_seconds: info.started.elapsed().as_secs_f64(),
        adopted: info.adopted,
        control_socket: info.socket.display().to_string(),
        netns: NetnsView::from(&agent.netns),
        links,
        settings: agent.settings,
        limits,
        hosts,
        warnings,
    }))
}

/// The host table as of the last sample: counting hosts goes through all of it.
async fn hosts(agent: &Arc<Agent>) -> Result<HostsView> {
    let sampled = agent.samples().borrow().hosts;
    if sampled != HostsView::default() {
        return Ok(sampled);
    }
    let counters = agent.counters().await?;
    let agent = Arc::clone(agent);
    blocking(move || Ok(agent.telemetry().stats(&counters).hosts)).await
}

/// Shows every counter that is not per host.
#[utoipa::path(
    get,
    path = "/v1/stats",
    operation_id = "stats",
    responses(
        (status = 200, description = "the counters", body = StatsView),
    )
)]
pub(super) async fn stats(
    State(agent): State<Arc<Agent>>,
) -> std::result::Result<Response, Refusal> {
    let counters = agent.counters().await?;
    large(move || agent.telemetry().stats(&counters)).await
}

/// Shows the counters again and again, without end.
#[utoipa::path(
    get,
    path = "/v1/stats/stream",
    operation_id = "stream_stats",
    params(StreamQuery),
    responses(
        (
            status = 200,
            description = "one line or event for each sample; a slow reader misses some",
            content((StatsView = "application/jsonl"), (String = "text/event-stream"))
        ),
    )
)]
pub(super) async fn stream(
    State(agent): State<Arc<Agent>>,
    framing: Framing,
    Asked(asked): Asked<StreamQuery>,
) -> Response {
    let samples = telemetry::every_nth(agent.samples(), asked.every_seconds);
    stream::answer(&agent, framing, samples.map(|sample| Item::new(&*sample)))
}
