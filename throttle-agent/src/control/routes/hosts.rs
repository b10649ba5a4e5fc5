//! `/v1/hosts`.

mod list;

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::Answer;
use crate::{
    agent::{Agent, blocking},
    control::{
        refusal::Refusal,
        request::{Asked, Name},
    },
    error::Error,
    policy::{TypedPrefix, host_name},
    telemetry::{HostExplained, HostQuery, HostView, TOP},
};

/// Lists hosts. Up to 1000 are as of the sample of the last second; a longer list is read as it is sent.
#[utoipa::path(
    get,
    path = "/v1/hosts",
    operation_id = "list_hosts",
    params(HostQuery),
    responses(
        (status = 200, description = "the hosts", body = Vec<HostView>),
    )
)]
pub(super) async fn list(
    State(agent): State<Arc<Agent>>,
    Asked(HostQuery { top, sort }): Asked<HostQuery>,
) -> Result<Response, Refusal> {
    if let Some(top) = top.filter(|top| *top <= TOP) {
        let hosts = agent.top_hosts().borrow().clone();
        let listed: Vec<_> = hosts.by(sort).take(top).collect();
        return Ok(Json(listed).into_response());
    }
    let reading = Arc::clone(&agent);
    let most = top.unwrap_or(usize::MAX);
    let ways = blocking(move || Ok(reading.hosts.sorted(sort, most))).await?;
    let parts = Body::from_stream(list::parts(agent, ways));
    Ok(([(CONTENT_TYPE, "application/json")], parts).into_response())
}

/// Shows a host.
#[utoipa::path(
    get,
    path = "/v1/hosts/{*address}",
    operation_id = "show_host",
    params(("address" = TypedPrefix, Path, description = "one address, or in IPv6 the prefix of one host", example = "10.0.0.7")),
    responses(
        (status = 200, description = "the host", body = HostExplained),
        (status = 404, description = "the host is not known, and no limit would hold it", body = Refusal),
    )
)]
pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Name(address): Name,
) -> Answer<HostExplained> {
    let typed: TypedPrefix = address.parse().map_err(Refusal::malformed)?;
    let (explained, bits) = agent
        .with(move |engine| {
            let bits = engine.ipv6_host_prefix();
            let address = typed.host(bits)?;
            let explained = engine.explain(address)?;
            if explained.limit.is_none() && explained.state.is_none() {
                return Err(no_host(&host_name(address, bits)));
            }
            Ok((explained, bits))
        })
        .await?;
    Ok(Json(agent.hosts.explain(&explained, bits)))
}

fn no_host(name: &str) -> Error {
    Error::not_found(format_args!("host {name} is not known"))
        .hint("no limit's prefix holds it; `throttle-agent limit list` shows those there are")
}
