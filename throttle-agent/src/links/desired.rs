//! The links that the agent should have.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    LinkSpec,
    follow::{LinkNames, follow},
    spec_for,
};
use crate::{
    agent::{Agent, Engine, not_attached},
    datapath::LinkStatus,
    error::Result,
    events::What,
    policy::LinkLimit,
};

/// What the agent knows of the links it should have, whether their interfaces are there or not.
#[derive(Debug, Default)]
pub struct Desired(Mutex<State>);

/// Its parts.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Which interfaces, the first that matches first.
    pub(super) specs: Vec<LinkSpec>,
    /// Limits that links had when they were lost, by name of the interface, where they are others than
    /// the specification gives.
    pub(super) limits: BTreeMap<String, LinkLimit>,
    /// Interfaces that were detached by hand.
    pub(super) held_off: BTreeSet<String>,
    /// Names of the interfaces that are attached, by index, at the last look.
    pub(super) names: LinkNames,
    /// What kept interfaces from being attached, by index: said once.
    pub(super) refused: BTreeMap<u32, String>,
}

impl Desired {
    /// Begins with these specifications.
    #[must_use]
    pub fn new(specs: Vec<LinkSpec>) -> Self {
        Self(Mutex::new(State { specs, ..State::default() }))
    }

    /// Forgets the limits of links that are gone, but for those that a new policy gives: it lifts what
    /// it does not name.
    pub fn replace_limits(&self, links: &BTreeMap<String, LinkLimit>) {
        for (interface, limit) in &mut self.lock().limits {
            *limit = links.get(interface).cloned().unwrap_or_default();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The limit that a link gets when it is attached; `None` leaves it without.
    pub(super) fn limit_for(&self, interface: &str) -> Option<LinkLimit> {
        let specified = || spec_for(&self.specs, interface)?.limit.clone();
        self.limits.get(interface).cloned().or_else(specified)
    }

    /// Notes the limit that a link had when it was lost.
    pub(super) fn remember(&mut self, interface: &str, limit: LinkLimit) {
        self.limits.remove(interface);
        // Interfaces that come under ever new names leave nothing.
        if self.limit_for(interface).unwrap_or_default() != limit {
            self.limits.insert(interface.to_owned(), limit);
        }
    }
}

/// Takes other specifications: detaches from interfaces that only an old one matches, gives those that
/// are attached what has changed, and attaches to the others that a new one matches. What was detached by
/// hand is attached again.
///
/// # Errors
/// Interfaces cannot be listed, or the kernel refuses one of them; the others are attached all the same.
pub async fn set_specs(agent: &Arc<Agent>, specs: Vec<LinkSpec>) -> Result<()> {
    let desired = Arc::clone(agent);
    let work = move |engine: &mut dyn Engine| {
        let mut state = desired.links.lock();
        let changed = change(engine, &mut state, specs);
        let followed = follow(engine, &mut state, &desired.events);
        changed.into_iter().for_each(|what| desired.events.publish(what));
        followed?.map_or(Ok(()), Err)
    };
    agent.with(work).await
}

/// Puts other specifications in the place of those there are.
fn change(engine: &mut dyn Engine, state: &mut State, specs: Vec<LinkSpec>) -> Vec<What> {
    let old = mem::replace(&mut state.specs, specs);
    state.held_off.clear();
    let new = &state.specs;
    let limit_of = |specs: &[LinkSpec], name: &str| spec_for(specs, name)?.limit.clone();
    state.limits.retain(|name, _| limit_of(&old, name) == limit_of(new, name));
    let mut events = Vec::new();
    for link in engine.links() {
        let Some(name) = link.interface else { continue };
        let done = match (spec_for(&old, &name), spec_for(new, &name)) {
            (Some(_), None) => {
                events.push(What::LinkDown { interface: name.clone(), ifindex: link.ifindex });
                state.names.remove(&link.ifindex);
                engine.drop_link(link.ifindex).map(drop)
            }
            (before, Some(now)) if before != Some(now) => {
                let side = engine.attach(&name, now.side).map(drop);
                let limit = now.limit.as_ref().filter(|_| limit_of(&old, &name) != now.limit);
                side.and_then(|()| match limit {
                    Some(limit) => engine.set_link_limit(&name, limit).map(drop),
                    None => Ok(()),
                })
            }
            (_, Some(_) | None) => Ok(()),
        };
        if let Err(error) = done {
            tracing::warn!(interface = name, "changing a link: {error}");
        }
    }
    events
}

/// Detaches from an interface, which stays detached whatever becomes of it, until the specifications are
/// set again.
///
/// # Errors
/// It is not attached, or the kernel refuses.
pub fn detach(agent: &Agent, engine: &mut dyn Engine, interface: &str) -> Result<()> {
    let links = engine.links();
    let mut state = agent.links.lock();
    if !engine.detach(interface)? {
        return Err(not_attached(interface, &links));
    }
    let is_meant = |link: &&LinkStatus| link.interface.as_deref() == Some(interface);
    if let Some(link) = links.iter().find(is_meant) {
        state.names.remove(&link.ifindex);
        let down = What::LinkDown { interface: interface.to_owned(), ifindex: link.ifindex };
        agent.events.publish(down);
    }
    state.held_off.insert(interface.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agent::fake::FakeEngine, policy::LinkRequest};

    fn limit(overhead_bytes: u16) -> LinkLimit {
        let request =
            LinkRequest { overhead_bytes: overhead_bytes.into(), ..LinkRequest::default() };
        request.check().unwrap().value
    }

    fn spec(text: &str, overhead_bytes: Option<u16>) -> LinkSpec {
        LinkSpec { limit: overhead_bytes.map(limit), ..text.parse().unwrap() }
    }

    fn state(specs: Vec<LinkSpec>) -> State {
        State { specs, ..State::default() }
    }

    #[test]
    fn a_link_comes_back_with_the_limit_that_it_had_and_others_with_that_of_the_specification() {
        let mut state = state(vec![spec("wg*", Some(1))]);
        state.remember("wg0", limit(2));
        state.remember("wg1", limit(1));
        state.remember("wg2", LinkLimit::default());
        assert_eq!(state.limits.len(), 2, "what the specification gives is not kept");
        let limits = ["wg0", "wg1", "wg2", "wg3", "eth0"].map(|name| state.limit_for(name));
        let lifted = Some(LinkLimit::default());
        assert_eq!(limits, [Some(limit(2)), Some(limit(1)), lifted, Some(limit(1)), None]);
    }

    #[test]
    fn a_new_policy_lifts_the_limits_of_links_that_it_does_not_name() {
        let desired = Desired::new(vec![spec("wg*", None)]);
        desired.lock().remember("wg0", limit(2));
        desired.lock().remember("wg1", limit(2));
        desired.replace_limits(&BTreeMap::from([("wg1".to_owned(), limit(3))]));
        let limits = ["wg0", "wg1"].map(|name| desired.lock().limit_for(name).unwrap());
        assert_eq!(limits, [LinkLimit::default(), limit(3)]);
    }

    #[test]
    fn other_specifications_change_what_they_are_about_and_no_more() {
        // Of the two links, nobody specified the second.
        let mut engine = FakeEngine::new();
        let mut state = state(vec![spec("eth1", None)]);
        state.held_off.insert("eth9".to_owned());
        engine.set_link_limit("eth1", &limit(7)).unwrap();
        assert!(change(&mut engine, &mut state, vec![spec("eth1", None)]).is_empty());
        assert!(state.held_off.is_empty());
        assert_eq!(engine.link_limit("eth1"), Some(limit(7)), "set at run time");
        change(&mut engine, &mut state, vec![spec("eth*:near", Some(5))]);
        assert_eq!(engine.link_limit("eth1"), Some(limit(5)));
        assert_eq!(engine.links()[1].side, throttle_common::abi::Side::Near);
        state.specs = vec![spec("eth1", None)];
        let events = change(&mut engine, &mut state, Vec::new());
        assert_eq!(events, [What::LinkDown { interface: "eth1".to_owned(), ifindex: 1 }]);
        assert_eq!(engine.links().len(), 1, "a link that nobody specified stays");
    }
}
