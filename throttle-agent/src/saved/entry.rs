//! The entries of a policy, each under its key.

use std::fmt;

use crate::policy::{Group, GroupName, Limit, LimitKey, LinkLimit};

/// What tells an entry of a policy from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A group, by its name.
    Group(GroupName),
    /// A limit, by its prefix.
    Limit(LimitKey),
    /// The limit of a link, by its interface.
    Link(String),
}

/// An entry of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A group.
    Group(Box<Group>),
    /// A limit.
    Limit(Box<Limit>),
    /// The limit of a link.
    Link(Box<LinkLimit>),
}

impl From<&Group> for Entry {
    fn from(group: &Group) -> Self {
        Self::Group(Box::new(group.clone()))
    }
}

impl From<&Limit> for Entry {
    fn from(limit: &Limit) -> Self {
        Self::Limit(Box::new(limit.clone()))
    }
}

impl From<&LinkLimit> for Entry {
    fn from(limit: &LinkLimit) -> Self {
        Self::Link(Box::new(limit.clone()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group {name}"),
            Self::Limit(key) => write!(f, "limit {key}"),
            Self::Link(interface) => write!(f, "link {interface}"),
        }
    }
}
