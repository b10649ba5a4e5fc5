//! Lines of the saved files: a sum and what it covers.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Entry, Key};
use crate::{
    error::{Error, Result},
    policy::{GroupName, GroupRequest, LimitKey, LimitRequest, LinkRequest, Match},
};

/// A change of an entry that the file may have as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    /// What the file had when it was changed.
    pub(super) base: Option<Entry>,
    /// What is in force; `None` when it was deleted.
    pub(super) now: Option<Entry>,
}

/// One line: changes that were made at one instant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Its number; each line has a greater one than the lines before.
    pub(super) number: u64,
    /// What was changed.
    pub(super) changes: Vec<SavedChange>,
}

/// One change as it is saved.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum SavedChange {
    /// Of a group.
    Group { name: GroupName, change: Change<GroupRequest> },
    /// Of a limit.
    Limit {
        prefix: IpNet,
        #[serde(rename = "match", default, skip_serializing_if = "is_host")]
        matches: Match,
        change: Change<LimitRequest>,
    },
    /// Of the limit of a link.
    Link { interface: String, change: Change<LinkRequest> },
}

/// What became of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Change<T> {
    /// It is as in the file again.
    Undone,
    /// It is other than in the file.
    Made {
        #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
        base: Option<T>,
        #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
        now: Option<T>,
    },
}

fn is_host(matches: &Match) -> bool {
    *matches == Match::Host
}

impl<T> Change<T> {
    fn new(change: Option<&Override>, convert: impl Fn(&Entry) -> Option<T>) -> Self {
        match change {
            None => Self::Undone,
            Some(Override { base, now }) => Self::Made {
                base: base.as_ref().and_then(&convert),
                now: now.as_ref().and_then(&convert),
            },
        }
    }

    fn read(self, convert: impl Fn(T) -> Result<Entry>) -> Result<Option<Override>> {
        match self {
            Self::Undone => Ok(None),
            Self::Made { base, now } => Ok(Some(Override {
                base: base.map(&convert).transpose()?,
                now: now.map(&convert).transpose()?,
            })),
        }
    }
}

impl SavedChange {
    /// A change as it is saved; `None` says that there is none any more.
    pub(super) fn new(key: &Key, change: Option<&Override>) -> Self {
        match key {
            Key::Group(name) => Self::Group {
                name: name.clone(),
                change: Change::new(change, |entry| match entry {
                    Entry::Group(group) => Some(GroupRequest::from(&**group)),
                    Entry::Limit(_) | Entry::Link(_) => None,
                }),
            },
            Key::Limit(LimitKey { prefix, matches }) => Self::Limit {
                prefix: *prefix,
                matches: *matches,
                change: Change::new(change, |entry| match entry {
                    Entry::Limit(limit) => Some(LimitRequest::from(&**limit)),
                    Entry::Group(_) | Entry::Link(_) => None,
                }),
            },
            Key::Link(interface) => Self::Link {
                interface: interface.clone(),
                change: Change::new(change, |entry| match entry {
                    Entry::Link(limit) => Some(LinkRequest::from(&**limit)),
                    Entry::Group(_) | Entry::Limit(_) => None,
                }),
            },
        }
    }

    /// What it means.
    pub(super) fn read(self) -> Result<(Key, Option<Override>)> {
        match self {
            Self::Group { name, change } => {
                let read = |group: GroupRequest| Ok((&group.check(name.clone())?.value).into());
                let change = change.read(read)?;
                Ok((Key::Group(name), change))
            }
            Self::Limit { prefix, matches, change } => {
                let read = |limit: LimitRequest| Ok((&limit.check(prefix)?.value).into());
                Ok((Key::Limit(LimitKey { prefix, matches }), change.read(read)?))
            }
            Self::Link { interface, change } => {
                let read = |link: LinkRequest| Ok((&link.check()?.value).into());
                Ok((Key::Link(interface), change.read(read)?))
            }
        }
    }
}

impl Record {
    /// The line, its end included.
    pub(super) fn line(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(anyhow::Error::new)?;
        let mut line = format!("{:016x} ", sum(&json)).into_bytes();
        line.extend(json);
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line without its end.
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let json = content(line)
            .ok_or_else(|| Error::failed("the line's sum is not that of its content"))?;
        serde_json::from_slice(json).map_err(|error| Error::from(anyhow::Error::new(error)))
    }

    /// Whether a line without its end is as it was written, whatever that means.
    pub(super) fn is_whole(line: &[u8]) -> bool {
        content(line).is_some()
    }
}

/// What stands behind a line's sum; `None` when the sum is not that of it.
fn content(line: &[u8]) -> Option<&[u8]> {
    let (digits, json) = line.split_at_checked(17)?;
    let digits = std::str::from_utf8(digits).ok()?.strip_suffix(' ')?;
    let stated = u64::from_str_radix(digits, 16).ok()?;
    (stated == sum(json)).then_some(json)
}

/// FNV-1a over 64 bits (Fowler, Noll, Vo): it finds torn and damaged lines, no forged ones.
fn sum(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    bytes.iter().fold(BASIS, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(PRIME))
}
