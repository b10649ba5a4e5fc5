//! `group set|del|show|list`.

use hyper::Method;

use super::{Context, done_word, rates_words};
use crate::{
    cli::GroupSetArgs,
    control::{GroupDeleted, GroupSet},
    error::Result,
    policy::{GroupName, GroupView},
};

pub(super) async fn set(context: &Context, args: &GroupSetArgs) -> Result<()> {
    let request = args.request()?;
    // The agent checks again; here, a mistake is found without an agent as well.
    request.check(args.name.clone())?;
    let answer: GroupSet = context.client.send(Method::PUT, &path(&args.name), &request).await?;
    context.warn(&answer.warnings);
    let GroupSet { group, change, .. } = &answer;
    let rates = rates_words(group.up, group.down, group.total).join("; ");
    let (done, name, action) = (done_word(*change), &group.name, group.action);
    context.output.done(&answer, format_args!("{done} group {name} ({action}): {rates}"))
}

pub(super) async fn delete(context: &Context, name: &GroupName) -> Result<()> {
    let answer: GroupDeleted = context.client.delete(&path(name)).await?;
    context.output.done(&answer, format_args!("deleted group {name}"))
}

pub(super) async fn show(context: &Context, name: &GroupName) -> Result<()> {
    let group: GroupView = context.client.get(&path(name)).await?;
    context.output.show(&group)
}

pub(super) async fn list(context: &Context) -> Result<()> {
    let groups: Vec<GroupView> = context.client.get("/v1/groups").await?;
    context.output.show(&groups)
}

/// A group's name is plain enough for an address.
fn path(name: &GroupName) -> String {
    format!("/v1/groups/{name}")
}
