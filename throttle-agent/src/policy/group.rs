//! Groups: named buckets above hosts.

use std::{fmt, str::FromStr};

use super::{LimitKey, ParentAction, Rates, text::as_text};
use crate::error::Error;

/// The name of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

as_text!(GroupName, "The name of a group.", "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,30}$", ["acme"]);

/// Members that a message names.
const NAMED_MEMBERS: usize = 3;

impl GroupName {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 31;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The error of a group that does not exist.
    #[must_use]
    pub fn unknown(&self) -> Error {
        Error::not_found(format_args!("there is no group {self}"))
            .hint("`throttle-agent group list` shows those there are, `group set` makes one")
    }

    /// The error of deleting a group that limits name.
    #[must_use]
    pub fn in_use(&self, members: &[LimitKey]) -> Error {
        let named: Vec<_> =
            members.iter().take(NAMED_MEMBERS).map(|member| member.prefix.to_string()).collect();
        let more = match members.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Error::conflict(format_args!("group {self} is used by {}{more}", named.join(", ")))
            .hint("set or delete these limits first")
    }
}

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(text: &str) -> Result<Self, GroupNameError> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let sound = text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.len() <= Self::MAX_BYTES
            && text.bytes().all(is_plain);
        if sound { Ok(Self(text.to_owned())) } else { Err(GroupNameError(text.to_owned())) }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that cannot name a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNameError(String);

impl fmt::Display for GroupNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "group {:?} is no name: use up to {} of a-z A-Z 0-9 - _ . and begin with a letter or a \
             digit",
            self.0,
            GroupName::MAX_BYTES
        )
    }
}

impl std::error::Error for GroupNameError {}

/// A group as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// What happens to packets that it has no room for.
    pub action: ParentAction,
    /// Packets sent by its hosts.
    pub up: Rates,
    /// Packets sent to its hosts.
    pub down: Rates,
    /// Packets of both directions together; excludes the same kind in `up` and `down`.
    pub total: Rates,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "acme", "9th-floor", "A_b.c", &"x".repeat(31)] {
            let parsed: GroupName = name.parse().unwrap();
            assert_eq!(parsed.to_string(), name);
        }
        for name in ["", "-a", ".a", "_a", "a b", "a/b", "ä", &"x".repeat(32)] {
            let message = name.parse::<GroupName>().unwrap_err().to_string();
            assert!(message.contains("begin with a letter or a digit"), "{message}");
        }
    }

    #[test]
    fn a_group_in_use_names_some_members() {
        let key = |number: u8| LimitKey::host(format!("10.0.{number}.0/24").parse().unwrap());
        let name: GroupName = "acme".parse().unwrap();
        let words = |members: Vec<LimitKey>| name.in_use(&members).to_string();
        assert_eq!(words(vec![key(1)]), "group acme is used by 10.0.1.0/24");
        assert_eq!(
            words((1..=5).map(key).collect()),
            "group acme is used by 10.0.1.0/24, 10.0.2.0/24, 10.0.3.0/24 and 2 more"
        );
    }
}
