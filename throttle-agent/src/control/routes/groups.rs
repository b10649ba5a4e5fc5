//! `/v1/groups`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::Agent,
    control::{
        GroupDeleted, GroupSet,
        refusal::Refusal,
        request::{Body, Name},
    },
    error::Error,
    policy::{GroupName, GroupRequest, GroupView},
};

pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<GroupView>> {
    let groups = agent.with(|engine, _| Ok(engine.groups())).await?;
    Ok(Json(groups.iter().map(GroupView::from).collect()))
}

pub(super) async fn show(State(agent): State<Arc<Agent>>, Name(name): Name) -> Answer<GroupView> {
    let name = parse(&name)?;
    let group =
        agent.with(move |engine, _| engine.group(&name).ok_or_else(|| name.unknown())).await?;
    Ok(Json(GroupView::from(&group)))
}

pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Name(name): Name,
    body: Body,
) -> Answer<GroupSet> {
    let checked = body.read::<GroupRequest>()?.check(parse(&name)?)?;
    let group = GroupView::from(&checked.value);
    let change = agent.with(move |engine, _| engine.set_group(&checked.value)).await?;
    tracing::info!(group = %group.name, ?change, "group set");
    Ok(Json(GroupSet { group, change: change.into(), warnings: checked.warnings }))
}

pub(super) async fn delete(
    State(agent): State<Arc<Agent>>,
    Name(name): Name,
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

fn parse(name: &str) -> Result<GroupName, Refusal> {
    name.parse().map_err(|error| Refusal::malformed(Error::usage(error)))
}
