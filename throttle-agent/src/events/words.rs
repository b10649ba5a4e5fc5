//! Events in words.

use std::fmt;

use super::{Cause, FlowName, What};

/// Whether an event is good or bad news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Something wants looking at.
    Bad,
    /// What wanted looking at is over, or something came.
    Good,
    /// What somebody wanted to happen.
    Plain,
}

impl What {
    /// The name of the kind, as in the JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::HostExceeding { .. } => "host_exceeding",
            Self::HostConforming { .. } => "host_conforming",
            Self::TableFilling { .. } => "table_filling",
            Self::TableHasRoom { .. } => "table_has_room",
            Self::LinkUp { .. } => "link_up",
            Self::LinkDown { .. } => "link_down",
            Self::LinkRenamed { .. } => "link_renamed",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::ProgramReplaced { .. } => "program_replaced",
            Self::EventsLost { .. } => "events_lost",
        }
    }

    /// Whether it is good or bad news.
    #[must_use]
    pub fn mood(&self) -> Mood {
        match self {
            Self::HostExceeding { .. }
            | Self::TableFilling { .. }
            | Self::LinkDown { .. }
            | Self::EventsLost { .. } => Mood::Bad,
            Self::HostConforming { .. } | Self::TableHasRoom { .. } | Self::LinkUp { .. } => {
                Mood::Good
            }
            Self::LinkRenamed { .. }
            | Self::PolicyChanged { .. }
            | Self::ProgramReplaced { .. } => Mood::Plain,
        }
    }
}

impl fmt::Display for What {
    /// What the event tells, without the name of its kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostExceeding { host, limit, direction, reason } => {
                write!(f, "{host} {direction}")?;
                if let Some(limit) = limit {
                    write!(f, " limit {limit}")?;
                }
                write!(f, " ({reason})")
            }
            Self::HostConforming { host, direction, seconds } => {
                write!(f, "{host} {direction} after {seconds:.1}s")
            }
            Self::TableFilling { tracked, capacity } => {
                write!(f, "{tracked} hosts, room for {capacity}")
            }
            Self::TableHasRoom { tracked, capacity, overflowed_packets } => write!(
                f,
                "{tracked} hosts, room for {capacity}, {overflowed_packets} packets overflowed"
            ),
            Self::LinkUp { interface, ifindex } | Self::LinkDown { interface, ifindex } => {
                write!(f, "{interface} (index {ifindex})")
            }
            Self::LinkRenamed { before, interface, ifindex } => {
                write!(f, "{before} to {interface} (index {ifindex})")
            }
            Self::PolicyChanged { cause, change, generation } => {
                write!(f, "{change} ({cause}, generation {generation})")
            }
            Self::ProgramReplaced { links } => write!(f, "on {links} links"),
            Self::EventsLost { count } => write!(f, "{count} events were not told"),
        }
    }
}

impl fmt::Display for FlowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "command",
            Self::Apply => "apply",
            Self::Reload => "reload",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_the_json() {
        for what in [
            What::EventsLost { count: 1 },
            What::ProgramReplaced { links: 1 },
            What::LinkUp { interface: "eth1".into(), ifindex: 3 },
            What::TableFilling { tracked: 1, capacity: 2 },
        ] {
            let value = serde_json::to_value(&what).unwrap();
            assert_eq!(value["event"], what.name());
        }
    }

    #[test]
    fn who_exceeds_what_and_why_is_said_in_one_line() {
        let mut what = What::HostExceeding {
            host: "10.0.0.7".into(),
            limit: Some("10.0.0.0/24".into()),
            direction: FlowName::Down,
            reason: "host_bytes".into(),
        };
        assert_eq!(what.to_string(), "10.0.0.7 down limit 10.0.0.0/24 (host_bytes)");
        let What::HostExceeding { limit, .. } = &mut what else { unreachable!() };
        *limit = None;
        assert_eq!(what.to_string(), "10.0.0.7 down (host_bytes)");
    }
}
