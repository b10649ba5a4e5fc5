//! `limit set|del|show|list`.

use hyper::Method;
use ipnet::IpNet;

use super::Context;
use crate::{
    cli::LimitSetArgs,
    control::{ChangeName, LimitDeleted, LimitSet},
    error::Result,
    output,
    policy::LimitView,
};

pub(super) async fn set(context: &Context, args: &LimitSetArgs) -> Result<()> {
    let request = args.request()?;
    // The agent checks again; here, a mistake is found without an agent as well.
    request.check(args.prefix)?;
    let answer: LimitSet = context.client.send(Method::PUT, &path(args.prefix), &request).await?;
    for warning in &answer.warnings {
        context.output.warn(warning);
    }
    context.output.done(&answer, words(&answer))
}

pub(super) async fn delete(context: &Context, prefix: IpNet) -> Result<()> {
    let answer: LimitDeleted = context.client.delete(&path(prefix)).await?;
    context.output.done(&answer, format_args!("deleted limit {}", answer.deleted))
}

pub(super) async fn show(context: &Context, prefix: IpNet) -> Result<()> {
    let limit: LimitView = context.client.get(&path(prefix)).await?;
    context.output.show(&limit)
}

pub(super) async fn list(context: &Context) -> Result<()> {
    let limits: Vec<LimitView> = context.client.get("/v1/limits").await?;
    context.output.show(&limits)
}

fn path(prefix: IpNet) -> String {
    format!("/v1/limits/{prefix}")
}

fn words(LimitSet { limit, change, .. }: &LimitSet) -> String {
    let done = match change {
        ChangeName::Created => "set",
        ChangeName::Replaced => "replaced",
        ChangeName::Unchanged => "unchanged:",
    };
    let directions = [("up", &limit.up), ("down", &limit.down), ("total", &limit.total)];
    let rates: Vec<_> = directions
        .into_iter()
        .filter(|(_, rates)| rates.is_set())
        .map(|(name, rates)| format!("{name} {}", output::rates(rates)))
        .collect();
    format!(
        "{done} limit {} ({}, {}): {}",
        limit.prefix,
        limit.scope,
        limit.action,
        rates.join("; ")
    )
}
