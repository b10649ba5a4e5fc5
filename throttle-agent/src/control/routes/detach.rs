//! `/v1/detach`.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Answer;
use crate::{
    agent::{Agent, Engine, not_attached},
    control::{DetachRequest, Detached, request::Body},
    error::Result,
};

pub(super) async fn detach(State(agent): State<Arc<Agent>>, body: Body) -> Answer<Detached> {
    let detached = match body.read()? {
        DetachRequest::Interface(interface) => {
            let work = move |engine: &mut dyn Engine, _: &mut _| detach_one(engine, interface);
            vec![agent.with(work).await?]
        }
        DetachRequest::All {} => {
            let links = agent.with(|engine, _| Ok(engine.links())).await?;
            agent.detach_all().await?;
            links.into_iter().filter_map(|link| link.interface).collect()
        }
    };
    tracing::info!(?detached, "detached");
    Ok(Json(Detached { detached }))
}

fn detach_one(engine: &mut dyn Engine, interface: String) -> Result<String> {
    if engine.detach(&interface)? {
        Ok(interface)
    } else {
        Err(not_attached(&interface, &engine.links()))
    }
}
