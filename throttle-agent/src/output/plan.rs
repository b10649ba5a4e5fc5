//! What putting a policy in force would change, as a difference.

use throttle_common::units::Size;

use super::{GREEN, RED, YELLOW, paint};
use crate::policy::{
    GroupEntry, LimitEntry, LinkEntry, Match, Planned, PolicyPlan, Rates, RatesRequest,
};

/// A line for each entry: `+` new, `~` changed, `-` deleted.
pub(super) fn lines(plan: &PolicyPlan, colored: bool) -> String {
    let mut text = String::new();
    for entry in &plan.groups {
        line(&mut text, entry, |GroupEntry { name, .. }| format!("group {name}"), group, colored);
    }
    for entry in &plan.links {
        let name = |LinkEntry { interface, .. }: &LinkEntry| format!("link {interface}");
        line(&mut text, entry, name, link, colored);
    }
    for entry in &plan.limits {
        line(&mut text, entry, limit_name, limit, colored);
    }
    text
}

/// What an entry says, by name.
type Traits = Vec<(&'static str, String)>;

fn line<E>(
    text: &mut String,
    planned: &Planned<E>,
    name: impl Fn(&E) -> String,
    traits: impl Fn(&E) -> Traits,
    colored: bool,
) {
    let (style, words) = match (&planned.before, &planned.after) {
        (None, Some(new)) => (GREEN, format!("+ {}{}", name(new), stated(&traits(new)))),
        (Some(old), None) => (RED, format!("- {}{}", name(old), stated(&traits(old)))),
        (Some(old), Some(new)) => {
            (YELLOW, format!("~ {}: {}", name(new), changed(&traits(old), &traits(new))))
        }
        (None, None) => return,
    };
    text.push_str(&paint(style, &words, colored));
    text.push('\n');
}

fn stated(traits: &Traits) -> String {
    let words: Vec<_> = traits.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) }
}

/// Only what differs.
fn changed(old: &Traits, new: &Traits) -> String {
    let value = |traits: &Traits, name: &str| {
        traits.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let mut words = Vec::new();
    for (name, after) in new {
        match value(old, name) {
            Some(before) if before == *after => {}
            Some(before) => words.push(format!("{name} {before} -> {after}")),
            None => words.push(format!("{name} none -> {after}")),
        }
    }
    for (name, before) in old.iter().filter(|(name, _)| value(new, name).is_none()) {
        words.push(format!("{name} {before} -> none"));
    }
    words.join("; ")
}

fn limit_name(LimitEntry { prefix, limit }: &LimitEntry) -> String {
    match limit.matches {
        Match::Host => format!("limit {prefix}"),
        Match::Peer => format!("limit {prefix} (peer)"),
    }
}

fn limit(LimitEntry { limit, .. }: &LimitEntry) -> Traits {
    let mut traits = rates([&limit.up, &limit.down, &limit.total]);
    traits.push(("scope", limit.scope.to_string()));
    traits.push(("action", limit.action.to_string()));
    traits.extend(limit.group.as_ref().map(|group| ("group", group.to_string())));
    let size = |bytes| Size::from_bytes(bytes).to_string();
    traits.extend(limit.one_time_burst_bytes.map(|bytes| ("one-time burst", size(bytes))));
    traits.extend(limit.packet_unit_bytes.map(|bytes| ("packet unit", size(bytes))));
    traits
}

fn group(GroupEntry { group, .. }: &GroupEntry) -> Traits {
    let mut traits = rates([&group.up, &group.down, &group.total]);
    traits.push(("action", group.action.to_string()));
    traits
}

fn link(LinkEntry { link, .. }: &LinkEntry) -> Traits {
    let mut traits = rates([&link.up, &link.down, &link.total]);
    traits.push(("action", link.action.to_string()));
    if link.overhead_bytes > 0 {
        traits.push(("overhead", format!("{}b", link.overhead_bytes)));
    }
    traits
}

fn rates(requests: [&RatesRequest; 3]) -> Traits {
    let named = ["up", "down", "total"].into_iter().zip(requests);
    let rates = named.filter_map(|(name, request)| {
        // What is planned was checked.
        let rates: Rates = request.rates()?;
        (!rates.is_empty()).then(|| (name, rates.to_string()))
    });
    rates.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policy, PolicyRequest};

    fn policy(value: serde_json::Value) -> Policy {
        serde_json::from_value::<PolicyRequest>(value).unwrap().check(64).unwrap().value
    }

    #[test]
    fn a_plan_is_shown_as_a_difference() {
        let before = policy(serde_json::json!({
            "limits": [
                {"prefix": "10.0.0.0/24", "down": {"bits_per_second": 10_000_000}},
                {"prefix": "10.0.1.0/24", "down": {"bits_per_second": 10_000_000}},
                {"prefix": "10.0.2.0/24", "down": {"bits_per_second": 10_000_000}},
            ],
            "links": [{"interface": "eth1", "overhead_bytes": 38}],
        }));
        let after = policy(serde_json::json!({
            "limits": [
                {"prefix": "10.0.0.0/24", "down": {"bits_per_second": 20_000_000},
                 "action": "ecn", "group": "acme"},
                {"prefix": "10.0.2.0/24", "down": {"bits_per_second": 10_000_000}},
                {"prefix": "10.0.3.0/24", "match": "peer", "action": "pass"},
            ],
            "groups": [{"name": "acme", "total": {"packets_per_second": 1000}}],
        }));
        let plan = PolicyPlan::new(&before, &after, Vec::new());
        assert_eq!(
            lines(&plan, false),
            "+ group acme: total 1kpps burst 250; action drop\n\
             - link eth1: action drop; overhead 38b\n\
             - limit 10.0.1.0/24: down 10mbit burst 312500b; scope each; action drop\n\
             ~ limit 10.0.0.0/24: down 10mbit burst 312500b -> 20mbit burst 625000b; \
             action drop -> ecn; group none -> acme\n\
             + limit 10.0.3.0/24 (peer): scope each; action pass\n"
        );
        assert!(PolicyPlan::new(&after, &after, Vec::new()).is_empty());
        assert!(lines(&plan, true).starts_with(GREEN));
    }
}
