//! `/v1/hosts`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::Agent,
    control::{
        refusal::Refusal,
        request::{Asked, Name},
    },
    error::Error,
    policy::{TypedPrefix, host_name},
    telemetry::{HostExplained, HostQuery, HostView},
};

/// Lists hosts.
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
    Asked(asked): Asked<HostQuery>,
) -> Answer<Vec<HostView>> {
    let hosts = agent
        .with(move |engine, telemetry| {
            let hosts = engine.hosts()?;
            let views = hosts.iter().map(|host| telemetry.host(engine, host));
            Ok(asked.answer(views.collect()))
        })
        .await?;
    Ok(Json(hosts))
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
    let host = agent
        .with(move |engine, telemetry| {
            let bits = engine.ipv6_host_prefix();
            let address = typed.host(bits)?;
            let explained = engine.explain(address)?;
            if explained.limit.is_none() && explained.state.is_none() {
                return Err(no_host(&host_name(address, bits)));
            }
            Ok(telemetry.explain(engine, &explained))
        })
        .await?;
    Ok(Json(host))
}

fn no_host(name: &str) -> Error {
    Error::not_found(format_args!("host {name} is not known"))
        .hint("no limit's prefix holds it; `throttle-agent limit list` shows those there are")
}
