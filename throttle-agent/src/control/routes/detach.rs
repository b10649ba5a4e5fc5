//! `/v1/detach`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::Agent,
    control::{DetachRequest, Detached, refusal::Refusal, request::Body},
    events::Cause,
};

/// Detaches one interface, or removes all and ends the agent.
#[utoipa::path(
    post,
    path = "/v1/detach",
    operation_id = "detach",
    request_body = DetachRequest,
    responses(
        (status = 200, description = "what was detached", body = Detached),
        (status = 409, description = "the interface is not attached", body = Refusal),
    )
)]
pub(super) async fn detach(State(agent): State<Arc<Agent>>, body: Body) -> Answer<Detached> {
    let detached = match body.read()? {
        DetachRequest::Interface(interface) => {
            let name = interface.clone();
            agent.change(Cause::Command, move |changes| changes.detach(&name)).await?;
            vec![interface]
        }
        DetachRequest::All {} => {
            let attached = agent.with(|engine| Ok(engine.attached())).await?;
            agent.detach_all().await?;
            attached
        }
    };
    tracing::info!(?detached, "detached");
    Ok(Json(Detached { detached }))
}
