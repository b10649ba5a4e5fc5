//! `/v1/limits`.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use ipnet::IpNet;

use super::{Answer, body};
use crate::{
    agent::Agent,
    control::{LimitDeleted, LimitSet},
    error::{Error, Result},
    policy::{LimitRequest, LimitView, parse_prefix},
};

pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<LimitView>> {
    let limits = agent.with(|engine, _| Ok(engine.limits())).await?;
    Ok(Json(limits.iter().map(LimitView::from).collect()))
}

pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Path(prefix): Path<String>,
) -> Answer<LimitView> {
    let prefix = parse_prefix(&prefix)?;
    let limit = agent.with(move |engine, _| Ok(engine.limit(&prefix))).await?;
    let limit = limit.ok_or_else(|| no_limit(prefix))?;
    Ok(Json(LimitView::from(&limit)))
}

pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Path(prefix): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<LimitSet> {
    let checked = body::<LimitRequest>(bytes)?.check(parse_prefix(&prefix)?)?;
    let limit = LimitView::from(&checked.limit);
    let change = agent.with(move |engine, _| engine.set_limit(&checked.limit)).await?;
    tracing::info!(prefix = %limit.prefix, ?change, "limit set");
    Ok(Json(LimitSet { limit, change: change.into(), warnings: checked.warnings }))
}

pub(super) async fn delete(
    State(agent): State<Arc<Agent>>,
    Path(prefix): Path<String>,
) -> Answer<LimitDeleted> {
    let prefix = parse_prefix(&prefix)?;
    if !agent.with(move |engine, _| engine.delete_limit(&prefix)).await? {
        return Err(no_limit(prefix).into());
    }
    tracing::info!(%prefix, "limit deleted");
    Ok(Json(LimitDeleted { deleted: prefix }))
}

fn no_limit(prefix: IpNet) -> Error {
    Error::not_found(format_args!("prefix {prefix} has no limit"))
        .hint("`throttle-agent limit list` shows those there are")
}
