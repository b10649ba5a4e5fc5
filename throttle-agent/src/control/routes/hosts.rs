//! `/v1/hosts`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};

use super::{Answer, query};
use crate::{
    agent::Agent,
    error::{Error, Result},
    policy::parse_host,
    telemetry::{HostQuery, HostView},
};

pub(super) async fn list(
    State(agent): State<Arc<Agent>>,
    asked: Result<Query<HostQuery>, QueryRejection>,
) -> Answer<Vec<HostView>> {
    let asked = query(asked)?;
    let hosts = agent
        .with(move |engine, telemetry| {
            let hosts = engine.hosts()?;
            Ok(asked.answer(hosts.iter().map(|host| telemetry.host(host)).collect()))
        })
        .await?;
    Ok(Json(hosts))
}

pub(super) async fn show(
    State(agent): State<Arc<Agent>>,
    Path(address): Path<String>,
) -> Answer<HostView> {
    let address = parse_host(&address)?;
    let host = agent
        .with(move |engine, telemetry| Ok(engine.host(address)?.map(|host| telemetry.host(&host))))
        .await?;
    Ok(Json(host.ok_or_else(|| no_host(address))?))
}

fn no_host(address: IpAddr) -> Error {
    Error::not_found(format_args!("host {address} is not known"))
        .hint("a host is known from its first packet under a limit")
}
