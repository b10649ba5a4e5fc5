//! `/v1/limits`.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};

use super::{Answer, large};
use crate::{
    agent::{Agent, Engine, pace_warnings},
    control::{
        LimitDeleted, LimitQuery, LimitSet,
        refusal::Refusal,
        request::{Asked, Body, Name},
    },
    error::{Error, Result},
    events::Cause,
    policy::{LimitKey, LimitRequest, LimitView, Match, TypedPrefix},
};

/// Lists all limits.
#[utoipa::path(
    get,
    path = "/v1/limits",
    operation_id = "list_limits",
    responses(
        (status = 200, description = "all limits", body = Vec<LimitView>),
    )
)]
pub(super) async fn list(State(agent): State<Arc<Agent>>) -> Result<Response, Refusal> {
    let limits = agent.with(|engine| Ok(engine.limits())).await?;
    large(move || limits.iter().map(LimitView::from).collect::<Vec<_>>()).await
}

/// Shows the limit of a prefix.
#[utoipa::path(
    get,
    path = "/v1/limits/{*prefix}",
    operation_id = "show_limit",
    params(("prefix" = TypedPrefix, Path, description = "the limit's prefix; its slash may be escaped"), LimitQuery),
    responses(
        (status = 200, description = "the limit", body = LimitView),
        (status = 404, description = "the prefix has no limit", body = Refusal),
    )
)]
pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Name(prefix): Name,
    Asked(asked): Asked<LimitQuery>,
) -> Answer<LimitView> {
    let named = Named::new(&prefix, asked)?;
    let limit = agent
        .with(move |engine| {
            let key = named.key(engine)?;
            engine.limit(&key).ok_or_else(|| no_limit(key))
        })
        .await?;
    Ok(Json(LimitView::from(&limit)))
}

/// Sets the limit of a prefix, replacing the one it had.
#[utoipa::path(
    put,
    path = "/v1/limits/{*prefix}",
    operation_id = "set_limit",
    params(("prefix" = TypedPrefix, Path, description = "the limit's prefix; its slash may be escaped"), LimitQuery),
    request_body = LimitRequest,
    responses(
        (status = 200, description = "the limit is in force", body = LimitSet),
        (status = 404, description = "there is no such group", body = Refusal),
        (status = 409, description = "the table of limits is full", body = Refusal),
    )
)]
pub(super) async fn set(
    State(agent): State<Arc<Agent>>,
    Name(prefix): Name,
    Asked(asked): Asked<LimitQuery>,
    body: Body,
) -> Answer<LimitSet> {
    let named = Named::new(&prefix, asked)?;
    let request: LimitRequest = body.read()?;
    if named.matches.is_some_and(|matches| matches != request.matches) {
        return Err(Refusal::from(Error::usage(format_args!(
            "the address and the body name different matches: give \"match\":\"{}\" in the body \
             or leave it out of the address",
            named.matches.unwrap_or_default()
        ))));
    }
    let answer = agent
        .change(Cause::Command, move |changes| {
            let bits = changes.read(|engine| Ok(engine.ipv6_host_prefix()))?;
            let checked = request.check(named.prefix.resolve(bits)?)?;
            let change = changes.set_limit(&checked.value)?;
            let mut warnings = checked.warnings;
            let limits = std::slice::from_ref(&checked.value);
            let links = changes.read(|engine| Ok(engine.links()))?;
            warnings.extend(pace_warnings(limits, &links));
            let limit = LimitView::from(&checked.value);
            Ok(LimitSet { limit, change: change.into(), warnings })
        })
        .await?;
    tracing::info!(limit = %answer.limit.key(), change = ?answer.change, "limit set");
    Ok(Json(answer))
}

/// Deletes the limit of a prefix.
#[utoipa::path(
    delete,
    path = "/v1/limits/{*prefix}",
    operation_id = "delete_limit",
    params(("prefix" = TypedPrefix, Path, description = "the limit's prefix; its slash may be escaped"), LimitQuery),
    responses(
        (status = 200, description = "the limit is gone", body = LimitDeleted),
        (status = 404, description = "the prefix has no limit", body = Refusal),
    )
)]
pub(super) async fn delete(
    State(agent): State<Arc<Agent>>,
    Name(prefix): Name,
    Asked(asked): Asked<LimitQuery>,
) -> Answer<LimitDeleted> {
    let named = Named::new(&prefix, asked)?;
    let key = agent
        .change(Cause::Command, move |changes| {
            let key = changes.read(|engine| named.key(engine))?;
            if changes.delete_limit(&key)? { Ok(key) } else { Err(no_limit(key)) }
        })
        .await?;
    tracing::info!(limit = %key, "limit deleted");
    Ok(Json(LimitDeleted { deleted: key.prefix, matches: key.matches }))
}

/// A limit as the address names it.
#[derive(Clone, Copy)]
struct Named {
    prefix: TypedPrefix,
    matches: Option<Match>,
}

impl Named {
    fn new(prefix: &str, asked: LimitQuery) -> Result<Self, Refusal> {
        let prefix = prefix.parse().map_err(Refusal::malformed)?;
        Ok(Self { prefix, matches: asked.matches })
    }

    fn key(self, engine: &dyn Engine) -> Result<LimitKey> {
        let prefix = self.prefix.resolve(engine.ipv6_host_prefix())?;
        Ok(LimitKey { prefix, matches: self.matches.unwrap_or_default() })
    }
}

fn no_limit(key: LimitKey) -> Error {
    Error::not_found(format_args!("prefix {key} has no limit"))
        .hint("`throttle-agent limit list` shows those there are")
}
