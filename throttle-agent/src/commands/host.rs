//! `host show|list`.

use super::Context;
use crate::{
    error::Result,
    policy::TypedPrefix,
    telemetry::{HostExplained, HostSort, HostView},
};

pub(super) async fn show(context: &Context, address: TypedPrefix) -> Result<()> {
    let host: HostExplained = context.client.get(&format!("/v1/hosts/{address}")).await?;
    context.output.show(&host)
}

pub(super) async fn list(context: &Context, top: Option<usize>, sort: HostSort) -> Result<()> {
    let top = top.map(|top| format!("&top={top}")).unwrap_or_default();
    context.show::<Vec<HostView>>(&format!("/v1/hosts?sort={sort}{top}")).await
}
