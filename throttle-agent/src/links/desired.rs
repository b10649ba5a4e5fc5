//! The links that the agent should have.

use std::sync::Arc;

use nix::net::if_::if_nameindex;

use super::{LinkSpec, spec_for};
use crate::{
    agent::Agent,
    error::{Kind, Result, ResultExt},
    events::What,
};

/// Takes other specifications: attaches to every interface that one of them matches.
///
/// # Errors
/// Interfaces cannot be listed, or the kernel refuses to attach to one.
pub async fn set_specs(agent: &Arc<Agent>, specs: Vec<LinkSpec>) -> Result<()> {
    let present = interfaces()?;
    let attached = agent.with(move |engine, _| {
        let known = engine.links();
        let is_known =
            |name: &str| known.iter().any(|link| link.interface.as_deref() == Some(name));
        let mut attached = Vec::new();
        for name in &present {
            let Some(spec) = spec_for(&specs, name) else { continue };
            let link = engine.attach(name, spec.side)?;
            if let Some(limit) = &spec.limit {
                engine.set_link_limit(name, limit)?;
            }
            if !is_known(name) {
                attached.push((name.clone(), link.ifindex));
            }
        }
        Ok(attached)
    });
    for (interface, ifindex) in attached.await? {
        agent.events.publish(What::LinkUp { interface, ifindex });
    }
    Ok(())
}

/// Names of the interfaces of this network namespace.
///
/// # Errors
/// The kernel does not tell.
pub fn interfaces() -> Result<Vec<String>> {
    let found = if_nameindex().doing(Kind::Failed, || "listing interfaces")?;
    Ok(found.iter().map(|interface| interface.name().to_string_lossy().into_owned()).collect())
}
