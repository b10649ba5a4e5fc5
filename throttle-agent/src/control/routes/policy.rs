//! `/v1/policy` and `/v1/reload`.

use std::{collections::HashSet, sync::Arc};

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::{Agent, Changes, Engine, blocking, check_attached, pace_warnings, policy_in_force},
    control::{
        PolicyAnswer, PolicyApplied, PolicyQuery,
        refusal::Refusal,
        request::{Asked, LargeBody},
    },
    datapath::Applied,
    error::{Error, Result},
    events::Cause,
    links::Pattern,
    policy::{Checked, Group, LinkEntry, Policy, PolicyPlan, PolicyRequest},
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
    let policy = agent.with(|engine| Ok(policy_in_force(engine))).await?;
    Ok(Json(blocking(move || Ok(PolicyRequest::from(&policy))).await?))
}

/// Puts a whole policy in force at one instant; what it lacks is deleted. A dry run tells what would change.
#[utoipa::path(
    put,
    path = "/v1/policy",
    operation_id = "apply_policy",
    params(PolicyQuery),
    request_body = PolicyRequest,
    responses(
        (status = 200, description = "the policy is in force", body = PolicyAnswer),
        (status = 404, description = "a link is not attached", body = Refusal),
        (status = 409, description = "the table of limits is full", body = Refusal),
    )
)]
pub(super) async fn apply(
    State(agent): State<Arc<Agent>>,
    Asked(asked): Asked<PolicyQuery>,
    body: LargeBody,
) -> Answer<PolicyAnswer> {
    let checked = read(&agent, body, asked, |_| Vec::new()).await?;
    if asked.dry_run {
        return plan(&agent, checked, |_, asked| asked).await;
    }
    change(&agent, checked, |changes, policy| changes.apply(policy)).await
}

/// Puts entries in force beside those there are, at one instant. A dry run tells what would change.
#[utoipa::path(
    patch,
    path = "/v1/policy",
    operation_id = "merge_policy",
    params(PolicyQuery),
    request_body = PolicyRequest,
    responses(
        (status = 200, description = "the entries are in force", body = PolicyAnswer),
        (status = 404, description = "a link is not attached", body = Refusal),
        (status = 409, description = "the table of limits is full", body = Refusal),
    )
)]
pub(super) async fn merge(
    State(agent): State<Arc<Agent>>,
    Asked(asked): Asked<PolicyQuery>,
    body: LargeBody,
) -> Answer<PolicyAnswer> {
    let checked = read(&agent, body, asked, |engine| engine.groups()).await?;
    if asked.dry_run {
        return plan(&agent, checked, Policy::with).await;
    }
    change(&agent, checked, |changes, policy| changes.merge(policy)).await
}

/// Reads a policy whose limits may name the groups that `known` finds, besides its own.
///
/// A large policy takes a while to read: neither the event loop nor the datapath waits for it.
async fn read(
    agent: &Arc<Agent>,
    body: LargeBody,
    asked: PolicyQuery,
    known: fn(&dyn Engine) -> Vec<Group>,
) -> Result<Checked<Policy>, Refusal> {
    let (ipv6_host_prefix, attached, groups) = agent
        .with(move |engine| Ok((engine.ipv6_host_prefix(), engine.attached(), known(engine))))
        .await?;
    let check = move |mut request: PolicyRequest| {
        let absent = if asked.globs { resolve_links(&mut request, &attached)? } else { Vec::new() };
        let known: HashSet<_> = groups.iter().map(|group| &group.name).collect();
        let mut checked = request.check_beside(ipv6_host_prefix, &known)?;
        checked.warnings.extend(absent);
        Ok::<_, Error>(checked)
    };
    Ok(blocking(move || Ok(body.read::<PolicyRequest>().map(check))).await???)
}

/// Reads the configuration file again; answers once it is in force.
#[utoipa::path(
    post,
    path = "/v1/reload",
    operation_id = "reload",
    responses(
        (status = 200, description = "the file is in force", body = PolicyApplied),
        (status = 409, description = "there is no file, or the table of limits is full", body = Refusal),
        (status = 422, description = "the file is unsound: `error` tells the mistake, or `details` up to 20", body = Refusal),
    )
)]
pub(super) async fn reload(State(agent): State<Arc<Agent>>) -> Answer<PolicyApplied> {
    let (applied, warnings) = agent.reload().await?;
    let answer = PolicyApplied::new(applied, warnings);
    log(&answer, "configuration file read again");
    Ok(Json(answer))
}

async fn plan(
    agent: &Arc<Agent>,
    checked: Checked<Policy>,
    after: impl FnOnce(&Policy, Policy) -> Policy + Send + 'static,
) -> Answer<PolicyAnswer> {
    let (before, links) =
        agent.with(|engine| Ok((policy_in_force(engine), engine.links()))).await?;
    let plan = blocking(move || {
        let Checked { value, mut warnings } = checked;
        check_attached(&value, &links)?;
        warnings.extend(pace_warnings(&value.limits, &links));
        Ok(PolicyPlan::new(&before, &after(&before, value), warnings))
    });
    Ok(Json(PolicyAnswer::Plan(plan.await?)))
}

async fn change(
    agent: &Arc<Agent>,
    Checked { value, mut warnings }: Checked<Policy>,
    work: impl FnOnce(&mut Changes<'_>, &Policy) -> Result<Applied> + Send + 'static,
) -> Answer<PolicyAnswer> {
    let answer = agent
        .change(Cause::Apply, move |changes| {
            let applied = work(changes, &value)?;
            let links = changes.read(|engine| Ok(engine.links()))?;
            warnings.extend(pace_warnings(&value.limits, &links));
            Ok(PolicyApplied::new(applied, warnings))
        })
        .await?;
    log(&answer, "policy applied");
    Ok(Json(PolicyAnswer::Applied(answer)))
}

/// Gives each attached interface the limit of the first link whose name or glob matches it; says which
/// match none.
fn resolve_links(request: &mut PolicyRequest, attached: &[String]) -> Result<Vec<String>> {
    let mut patterns = Vec::new();
    for entry in std::mem::take(&mut request.links) {
        let pattern = entry.interface.parse::<Pattern>().map_err(Error::usage)?;
        patterns.push((pattern, entry.link));
    }
    let mut used = HashSet::new();
    for interface in attached {
        let is_meant = |(pattern, _): &(Pattern, _)| pattern.matches(interface);
        let Some(place) = patterns.iter().position(is_meant) else { continue };
        used.insert(place);
        let link = patterns[place].1;
        request.links.push(LinkEntry { interface: interface.clone(), link });
    }
    let absent = patterns.iter().enumerate().filter(|(place, _)| !used.contains(place));
    Ok(absent.map(|(_, (pattern, _))| format!("link {pattern} is not attached here")).collect())
}

fn log(answer: &PolicyApplied, done: &str) {
    tracing::info!(
        limits_set = answer.limits_set,
        limits_deleted = answer.limits_deleted,
        groups_set = answer.groups_set,
        groups_deleted = answer.groups_deleted,
        links_set = answer.links_set,
        "{done}"
    );
}
