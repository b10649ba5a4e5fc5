//! What putting a policy in force would change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Group, GroupEntry, GroupName, Limit, LimitEntry, LimitKey, LinkEntry, LinkLimit, Policy,
};

/// What putting a policy in force would change: the answer to `PUT /v1/policy?dry_run=true`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyPlan {
    /// Groups, by name.
    pub groups: Vec<Planned<GroupEntry>>,
    /// Links, by interface.
    pub links: Vec<Planned<LinkEntry>>,
    /// Limits, by prefix.
    pub limits: Vec<Planned<LimitEntry>>,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

/// One entry, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Planned<T> {
    /// What is in force; left out when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<T>,
    /// What would be; left out when it would be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<T>,
}

impl PolicyPlan {
    /// What differs between two policies.
    #[must_use]
    pub fn new(before: &Policy, after: &Policy, warnings: Vec<String>) -> Self {
        Self {
            groups: differences(&groups(before), &groups(after), |name, group| GroupEntry {
                name: (*name).clone(),
                group: (*group).into(),
            }),
            links: differences(&links(before), &links(after), |interface, link| LinkEntry {
                interface: (*interface).clone(),
                link: (*link).into(),
            }),
            limits: differences(&limits(before), &limits(after), |key, limit| LimitEntry {
                prefix: key.prefix.into(),
                limit: (*limit).into(),
            }),
            warnings,
        }
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.links.is_empty() && self.limits.is_empty()
    }
}

fn limits(policy: &Policy) -> BTreeMap<LimitKey, &Limit> {
    policy.limits.iter().map(|limit| (limit.key(), limit)).collect()
}

fn groups(policy: &Policy) -> BTreeMap<&GroupName, &Group> {
    policy.groups.iter().map(|group| (&group.name, group)).collect()
}

fn links(policy: &Policy) -> BTreeMap<&String, &LinkLimit> {
    policy.links.iter().filter(|(_, link)| **link != LinkLimit::default()).collect()
}

fn differences<K: Ord, V: PartialEq, E>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    entry: impl Fn(&K, &V) -> E,
) -> Vec<Planned<E>> {
    let gone = before.iter().filter(|(key, _)| !after.contains_key(key));
    let gone = gone.map(|(key, old)| Planned { before: Some(entry(key, old)), after: None });
    let set = after.iter().filter(|(key, new)| before.get(key) != Some(new));
    let set = set.map(|(key, new)| Planned {
        before: before.get(key).map(|old| entry(key, old)),
        after: Some(entry(key, new)),
    });
    gone.chain(set).collect()
}
