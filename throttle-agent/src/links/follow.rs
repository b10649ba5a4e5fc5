//! Brings the links in line with the interfaces there are.

use std::collections::BTreeMap;

use super::{
    LinkSpec,
    desired::State,
    plan::{Step, plan},
};
use crate::{
    agent::Engine,
    datapath::LinkStatus,
    error::{Error, Result},
    events::{Events, What},
    netlink::{self, Interface},
};

/// Names of the interfaces that are attached, by index.
pub(super) type LinkNames = BTreeMap<u32, String>;

/// Drops links whose interface is gone, and attaches to interfaces that are wanted; returns the first
/// failure, which keeps nothing else from being done.
///
/// # Errors
/// Interfaces cannot be listed.
pub(super) fn follow(
    engine: &mut dyn Engine,
    state: &mut State,
    events: &Events,
) -> Result<Option<Error>> {
    let interfaces = netlink::interfaces()?;
    let names = names(engine, state);
    let specs = state.specs.clone();
    let steps = plan(&specs, &state.held_off, &names, &interfaces);
    state.refused.retain(|index, _| interfaces.iter().any(|found| found.index == *index));
    let mut first = None;
    for step in &steps {
        match take(engine, state, step) {
            Ok(Some(what)) => events.publish(what),
            Ok(None) => {}
            Err(error) => first = first.or(note_failure(state, step, error)),
        }
    }
    state.names = names_now(engine);
    Ok(first)
}

/// The names that links had at the last look, or have now where that was before they were attached.
fn names(engine: &dyn Engine, state: &State) -> LinkNames {
    let name = |ifindex: u32, now: Option<String>| {
        let before = state.names.get(&ifindex).cloned();
        (ifindex, before.or(now).unwrap_or_else(|| ifindex.to_string()))
    };
    engine.links().into_iter().map(|link| name(link.ifindex, link.interface)).collect()
}

fn names_now(engine: &dyn Engine) -> LinkNames {
    let named = |link: LinkStatus| Some((link.ifindex, link.interface?));
    engine.links().into_iter().filter_map(named).collect()
}

/// Does one thing; returns what happened.
fn take(engine: &mut dyn Engine, state: &mut State, step: &Step<'_>) -> Result<Option<What>> {
    match *step {
        Step::Drop { ifindex, name, now } => {
            let limit = engine.drop_link(ifindex)?;
            state.remember(name, limit.unwrap_or_default());
            match now {
                None => tracing::info!(interface = name, ifindex, "gone: its link is dropped"),
                Some(now) => {
                    tracing::info!(interface = name, now, "renamed to what is not ours: detached");
                }
            }
            Ok(Some(What::LinkDown { interface: name.to_owned(), ifindex }))
        }
        Step::Rename { ifindex, before, name, spec } => {
            if let Some(spec) = spec {
                attach(engine, state, name, spec)?;
            }
            tracing::info!(before, interface = name, ifindex, "interface of a link renamed");
            let (before, interface) = (before.to_owned(), name.to_owned());
            Ok(Some(What::LinkRenamed { before, interface, ifindex }))
        }
        Step::Attach { interface, spec } => {
            if !is_wanted(state, interface, spec) {
                return Ok(None);
            }
            let ifindex = attach(engine, state, &interface.name, spec)?;
            state.refused.remove(&interface.index);
            tracing::info!(interface = interface.name, ifindex, "attached");
            Ok(Some(What::LinkUp { interface: interface.name.clone(), ifindex }))
        }
    }
}

/// Attaches to an interface and gives the link the limit that it should have.
fn attach(engine: &mut dyn Engine, state: &mut State, name: &str, spec: &LinkSpec) -> Result<u32> {
    let link = engine.attach(name, spec.side)?;
    let Some(limit) = state.limit_for(name) else { return Ok(link.ifindex) };
    match engine.set_link_limit(name, &limit) {
        Ok(_) => {
            state.limits.remove(name);
        }
        // Hosts are limited all the same.
        Err(error) => tracing::warn!(interface = name, "limiting the link again: {error}"),
    }
    Ok(link.ifindex)
}

/// Whether to attach to an interface whose name matches.
fn is_wanted(state: &mut State, interface: &Interface, spec: &LinkSpec) -> bool {
    let Some(words) = spec.passes_by(interface.hardware_type) else { return true };
    if state.refused.insert(interface.index, words.clone()).is_none() {
        tracing::debug!(interface = interface.name, "passed by: {words}");
    }
    false
}

/// Logs a failure, that of one interface once; returns it.
fn note_failure(state: &mut State, step: &Step<'_>, error: Error) -> Option<Error> {
    let words = error.to_string();
    let is_known = match step {
        Step::Attach { interface, .. } => {
            state.refused.insert(interface.index, words.clone()).as_ref() == Some(&words)
        }
        Step::Drop { .. } | Step::Rename { .. } => false,
    };
    if !is_known {
        tracing::warn!("{words}");
    }
    Some(error)
}
