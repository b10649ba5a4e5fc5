//! `/v1/groups`.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};

use super::{Answer, body};
use crate::{
    agent::Agent,
    control::{GroupDeleted, GroupSet},
    error::{Error, Result},
    policy::{GroupName, GroupRequest, GroupView},
};

pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<GroupView>> {
    let groups = agent.with(|engine, _| Ok(engine.groups())).await?;
    Ok(Json(groups.iter().map(GroupView::from).collect()))
}

pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
) -> Answer<GroupView> {
    let name = parse(&name)?;
    let group =
        agent.with(move |engine, _| engine.group(&name).ok_or_else(|| name.unknown())).await?;
    Ok(Json(GroupView::from(&group)))
}

pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<GroupSet> {
    let checked = body::<GroupRequest>(bytes)?.check(parse(&name)?)?;
    let group = GroupView::from(&checked.value);
    let change = agent.with(move |engine, _| engine.set_group(&checked.value)).await?;
    tracing::info!(group = %group.name, ?change, "group set");
    Ok(Json(GroupSet { group, change: change.into(), warnings: checked.warnings }))
}

pub(super) async fn delete(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
) -> Answer<GroupDeleted> {
    let deleted = parse(&name)?;
    let name = deleted.clone();
    agent
        .with(
            move |engine, _| {
                if engine.delete_group(&name)? { Ok(()) } else { Err(name.unknown()) }
            },
        )
        .await?;
    tracing::info!(group = %deleted, "group deleted");
    Ok(Json(GroupDeleted { deleted }))
}

fn parse(name: &str) -> Result<GroupName> {
    name.parse().map_err(Error::usage)
}
