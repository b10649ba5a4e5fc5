//! `/v1/policy`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::{Agent, blocking, pace_warnings, policy_in_force},
    control::{PolicyApplied, refusal::Refusal, request::LargeBody},
    policy::PolicyRequest,
};

/// Shows all that is in force, as a policy that can be put in force.
#[utoipa::path(
    get,
    path = "/v1/policy",
    operation_id = "show_policy",
    responses(
        (status = 200, description = "the policy", body = PolicyRequest),
    )
)]
pub(super) async fn show(State(agent): State<Arc<Agent>>) -> Answer<PolicyRequest> {
    let read = agent.with(|engine, _| Ok(PolicyRequest::from(&policy_in_force(engine))));
    Ok(Json(read.await?))
}

/// Puts a whole policy in force at one instant; what it lacks is deleted.
#[utoipa::path(
    put,
    path = "/v1/policy",
    operation_id = "apply_policy",
    request_body = PolicyRequest,
    responses(
        (status = 200, description = "the policy is in force", body = PolicyApplied),
        (status = 404, description = "a link is not attached", body = Refusal),
        (status = 409, description = "the table of limits is full", body = Refusal),
    )
)]
pub(super) async fn apply(
    State(agent): State<Arc<Agent>>,
    body: LargeBody,
) -> Answer<PolicyApplied> {
    let ipv6_host_prefix = agent.with(|engine, _| Ok(engine.ipv6_host_prefix())).await?;
    // A large policy takes a while to read: neither the event loop nor the datapath waits for it.
    let read = move || Ok(body.read::<PolicyRequest>().map(|asked| asked.check(ipv6_host_prefix)));
    let checked = blocking(read).await???;
    let desired = Arc::clone(&agent);
    let answer = agent
        .with(move |engine, _| {
            let applied = engine.apply(&checked.value)?;
            desired.links.replace_limits(&checked.value.links);
            let mut warnings = checked.warnings;
            warnings.extend(pace_warnings(&checked.value.limits, &engine.links()));
            Ok(PolicyApplied::new(applied, warnings))
        })
        .await?;
    tracing::info!(
        limits_set = answer.limits_set,
        limits_deleted = answer.limits_deleted,
        groups_set = answer.groups_set,
        groups_deleted = answer.groups_deleted,
        links_set = answer.links_set,
        "policy applied"
    );
    Ok(Json(answer))
}
