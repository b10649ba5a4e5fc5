//! The two lines at the top: the agent, and its links.

use ratatui::text::{Line, Span};

use super::{Look, cut};
use crate::{
    output::format::{bits_per_second, per_second, seconds},
    top::{
        Facts, State,
        state::{List, link_name},
    },
};

pub(super) fn lines(state: &State, look: Look, width: usize) -> Vec<Line<'static>> {
    let Some(facts) = &state.facts else { return vec![Line::raw("waiting for the agent")] };
    vec![agent(state, facts, look, width), second(state, facts, look, width)]
}

/// The agent, and how the list is shown.
fn agent(state: &State, facts: &Facts, look: Look, width: usize) -> Line<'static> {
    let status = &facts.status;
    let hosts = status.hosts;
    let left = format!(
        "throttle {}  up {}  hosts {}/{}  generation {}",
        status.instance,
        seconds(status.uptime_seconds),
        hosts.tracked,
        hosts.capacity,
        facts.stats.generation
    );
    let mut marks = Vec::new();
    if state.frozen {
        marks.push("FROZEN".to_owned());
    }
    if !state.filter.is_empty() {
        marks.push(format!("filter {}", state.filter));
    }
    if state.list == List::Hosts {
        marks.push(format!("by {}", state.sort.word()));
    }
    let right = marks.join("  ");
    let used = left.chars().count() + right.chars().count();
    if used + 2 > width {
        return Line::styled(cut(&format!("{left}  {right}"), width, look), look.head());
    }
    let gap = " ".repeat(width - used);
    Line::styled(format!("{left}{gap}{right}"), look.head())
}

/// What the links carry, or that the agent has gone.
fn second(state: &State, facts: &Facts, look: Look, width: usize) -> Line<'static> {
    if let Some(why) = &state.gone {
        let text = cut(&format!("no answer, trying again: {why}"), width, look);
        return Line::from(Span::styled(text, look.bad()));
    }
    let links = &facts.stats.links;
    let sum = |flow: fn(&crate::telemetry::LinkView) -> u64| links.iter().map(flow).sum::<u64>();
    let excess = links
        .iter()
        .map(|link| state.excess_of(&link_name(link.interface.as_deref())).unwrap_or(0));
    let names: Vec<_> = links.iter().filter_map(|link| link.interface.as_deref()).collect();
    let names = if names.is_empty() { "no links".to_owned() } else { names.join(" ") };
    let text = format!(
        "up {}  down {}  excess {}  {names}",
        bits_per_second(sum(|link| link.up.bits_per_second)),
        bits_per_second(sum(|link| link.down.bits_per_second)),
        per_second(excess.sum()),
    );
    Line::raw(cut(&text, width, look))
}
