//! `/v1/links`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::{Agent, Engine, no_link},
    control::{
        LinkSet,
        request::{Body, Name},
    },
    datapath::LinkStatus,
    error::Result,
    policy::{LinkLimit, LinkLimitView, LinkRequest},
    telemetry::{hook_name, side_name},
};

pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<LinkLimitView>> {
    let read = agent.with(|engine, _| {
        Ok(engine.links().iter().filter_map(|link| read(engine, link)).collect())
    });
    Ok(Json(read.await?))
}

pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Name(interface): Name,
) -> Answer<LinkLimitView> {
    Ok(Json(agent.with(move |engine, _| find(engine, &interface)).await?))
}

pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Name(interface): Name,
    body: Body,
) -> Answer<LinkSet> {
    let checked = body.read::<LinkRequest>()?.check()?;
    let (link, change) = agent
        .with(move |engine, _| {
            // Names the links there are, if this is none.
            find(engine, &interface)?;
            let change = engine.set_link_limit(&interface, &checked.value)?;
            Ok((find(engine, &interface)?, change))
        })
        .await?;
    tracing::info!(link = link.interface, ?change, "limit of a link set");
    Ok(Json(LinkSet { link, change: change.into(), warnings: checked.warnings }))
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
