//! `/v1/groups`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::{Agent, Changes},
    control::{
        GroupDeleted, GroupSet,
        refusal::Refusal,
        request::{Body, Name},
    },
    error::Error,
    events::Cause,
    policy::{GroupName, GroupRequest, GroupView},
};

/// Lists all groups.
#[utoipa::path(
    get,
    path = "/v1/groups",
    operation_id = "list_groups",
    responses(
        (status = 200, description = "all groups", body = Vec<GroupView>),
    )
)]
pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Answer<Vec<GroupView>> {
    let groups = agent.with(|engine| Ok(engine.groups())).await?;
    Ok(Json(groups.iter().map(GroupView::from).collect()))
}

/// Shows a group.
#[utoipa::path(
    get,
    path = "/v1/groups/{name}",
    operation_id = "show_group",
    params(("name" = GroupName, Path, description = "the group's name")),
    responses(
        (status = 200, description = "the group", body = GroupView),
        (status = 404, description = "there is no such group", body = Refusal),
    )
)]
pub(super) async fn show(State(agent): State<Arc<Agent>>, Name(name): Name) -> Answer<GroupView> {
    let name = parse(&name)?;
    let group = agent.with(move |engine| engine.group(&name).ok_or_else(|| name.unknown())).await?;
    Ok(Json(GroupView::from(&group)))
}

/// Sets the rates of a group, replacing those it had.
#[utoipa::path(
    put,
    path = "/v1/groups/{name}",
    operation_id = "set_group",
    params(("name" = GroupName, Path, description = "the group's name")),
    request_body = GroupRequest,
    responses(
        (status = 200, description = "the group is in force", body = GroupSet),
        (status = 409, description = "the table of limits is full", body = Refusal),
    )
)]
pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Name(name): Name,
    body: Body,
) -> Answer<GroupSet> {
    let checked = body.read::<GroupRequest>()?.check(parse(&name)?)?;
    let (group, warnings) = (GroupView::from(&checked.value), checked.warnings.clone());
    let work = move |changes: &mut Changes<'_>| changes.set_group(&checked.value);
    let change = agent.change(Cause::Command, work).await?;
    tracing::info!(group = %group.name, ?change, "group set");
    Ok(Json(GroupSet { group, change: change.into(), warnings }))
}

/// Deletes a group that no limit names.
#[utoipa::path(
    delete,
    path = "/v1/groups/{name}",
    operation_id = "delete_group",
    params(("name" = GroupName, Path, description = "the group's name")),
    responses(
        (status = 200, description = "the group is gone", body = GroupDeleted),
        (status = 404, description = "there is no such group", body = Refusal),
        (status = 409, description = "limits name the group", body = Refusal),
    )
)]
pub(super) async fn delete(
    State(agent): State<Arc<Agent>>,
    Name(name): Name,
) -> Answer<GroupDeleted> {
    let deleted = parse(&name)?;
    let name = deleted.clone();
    agent
        .change(Cause::Command, move |changes| {
            if changes.delete_group(&name)? { Ok(()) } else { Err(name.unknown()) }
        })
        .await?;
    tracing::info!(group = %deleted, "group deleted");
    Ok(Json(GroupDeleted { deleted }))
}

fn parse(name: &str) -> Result<GroupName, Refusal> {
    name.parse().map_err(|error| Refusal::malformed(Error::usage(error)))
}
