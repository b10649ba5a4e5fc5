//! `/v1/links`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::{Agent, Engine, no_link},
    control::{
        LinkSet,
        refusal::Refusal,
        request::{Body, Name},
    },
    datapath::LinkStatus,
    error::Result,
    events::Cause,
    policy::{Checked, LinkLimit, LinkLimitView, LinkRequest},
    telemetry::{hook_name, side_name},
};

/// Lists the limits of all links.
#[utoipa::path(
    get,
    path = "/v1/links",
    operation_id = "list_links",
    responses(
        (status = 200, description = "all links", body = Vec<LinkLimitView>),
    )
)]
pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<LinkLimitView>> {
    let read = agent
        .with(|engine| Ok(engine.links().iter().filter_map(|link| read(engine, link)).collect()));
    Ok(Json(read.await?))
}

/// Shows the limit of a link.
#[utoipa::path(
    get,
    path = "/v1/links/{interface}",
    operation_id = "show_link",
    params(("interface" = String, Path, description = "name of the link's interface", example = "eth1")),
    responses(
        (status = 200, description = "the link", body = LinkLimitView),
        (status = 404, description = "there is no such link", body = Refusal),
    )
)]
pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Name(interface): Name,
) -> Answer<LinkLimitView> {
    Ok(Json(agent.with(move |engine| find(engine, &interface)).await?))
}

/// Sets the limit of a link; without rates, lifts it.
#[utoipa::path(
    put,
    path = "/v1/links/{interface}",
    operation_id = "set_link",
    params(("interface" = String, Path, description = "name of the link's interface", example = "eth1")),
    request_body = LinkRequest,
    responses(
        (status = 200, description = "the limit is in force", body = LinkSet),
        (status = 404, description = "there is no such link", body = Refusal),
        (status = 409, description = "the table of limits is full", body = Refusal),
    )
)]
pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Name(interface): Name,
    body: Body,
) -> Answer<LinkSet> {
    let Checked { value: limit, warnings } = body.read::<LinkRequest>()?.check()?;
    let (link, change) = agent
        .change(Cause::Command, move |changes| {
            // Names the links there are, if this is none.
            changes.read(|engine| find(engine, &interface))?;
            let change = changes.set_link_limit(&interface, &limit)?;
            Ok((changes.read(|engine| find(engine, &interface))?, change))
        })
        .await?;
    tracing::info!(link = link.interface, ?change, "limit of a link set");
    Ok(Json(LinkSet { link, change: change.into(), warnings }))
}

fn find(engine: &dyn Engine, interface: &str) -> Result<LinkLimitView> {
    let links = engine.links();
    let found = links.iter().find(|link| link.interface.as_deref() == Some(interface));
    found.and_then(|link| read(engine, link)).ok_or_else(|| no_link(interface, &links))
}

/// A link with its limit; `None` when its interface is gone.
fn read(engine: &dyn Engine, link: &LinkStatus) -> Option<LinkLimitView> {
    let interface = link.interface.clone()?;
    let LinkLimit { action, up, down, total, overhead_bytes } = engine.link_limit(&interface)?;
    Some(LinkLimitView {
        interface,
        side: side_name(link.side).to_owned(),
        hook: hook_name(link.hook).to_owned(),
        action,
        overhead_bytes,
        up: up.into(),
        down: down.into(),
        total: total.into(),
        pace_ready: link.pace_ready,
    })
}
