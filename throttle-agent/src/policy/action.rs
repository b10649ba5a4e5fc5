//! What happens to excess.

use std::{fmt, str::FromStr};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use throttle_common::units::{ParseError, Span};
use utoipa::ToSchema;

use super::{
    dscp::{Dscp, DscpError},
    text::{as_text, number},
};

/// What happens to packets that a limit has no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// They are dropped.
    #[default]
    Drop,
    /// Beyond the burst they are dropped; from half of it on, packets of willing senders are marked CE.
    Ecn,
    /// They pass, in another class of service.
    Dscp(Dscp),
    /// They pass, with this mark on the packet buffer.
    Mark(u32),
    /// They wait in fq until they conform, up to the burst.
    Pace {
        /// Packets of willing senders that would wait longer than this are marked CE.
        ecn_above: Option<Span>,
    },
    /// They pass and are counted.
    Observe,
    /// Nothing is excess, and nothing is charged, not even to a group or link.
    Pass,
}

as_text!(
    Action,
    "What happens to packets that find no room: `drop`, `ecn`, `dscp:CLASS`, `mark:N` with N below 2^32, \
     `pace`, `pace:TIME` with a TIME of 1us to a day, `observe` or `pass`.",
    "^(drop|ecn|observe|pass|pace(:[0-9.]+(us|ms|s))?|mark:(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})|\
     dscp:(cs[0-7]|af[1-4][1-3]|ef|va|le|be|0x[0-9a-fA-F]{1,2}|[0-9]{1,2}))$",
    ["drop", "dscp:cs1", "mark:7", "pace:20ms"]
);

impl Action {
    /// Whether it delays packets.
    #[must_use]
    pub const fn paces(self) -> bool {
        matches!(self, Self::Pace { .. })
    }
}

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match (name, value) {
            ("drop", None) => Ok(Self::Drop),
            ("ecn", None) => Ok(Self::Ecn),
            ("dscp", Some(class)) => class.parse().map(Self::Dscp).map_err(ActionError::Class),
            ("mark", Some(text)) => {
                let mark = number(text).and_then(|mark| u32::try_from(mark).ok());
                mark.map(Self::Mark).ok_or_else(|| ActionError::Mark(text.to_owned()))
            }
            ("pace", None) => Ok(Self::Pace { ecn_above: None }),
            ("pace", Some(time)) => time
                .parse()
                .map_err(ActionError::Time)
                .map(|time| Self::Pace { ecn_above: Some(time) }),
            ("observe", None) => Ok(Self::Observe),
            ("pass", None) => Ok(Self::Pass),
            _ => Err(ActionError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.pad("drop"),
            Self::Ecn => f.pad("ecn"),
            Self::Dscp(class) => write!(f, "dscp:{class}"),
            Self::Mark(mark) => write!(f, "mark:{mark}"),
            Self::Pace { ecn_above: None } => f.pad("pace"),
            Self::Pace { ecn_above: Some(time) } => write!(f, "pace:{time}"),
            Self::Observe => f.pad("observe"),
            Self::Pass => f.pad("pass"),
        }
    }
}

/// A text that is no action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionError {
    /// There is no action of this name, or its value is missing or too much.
    Unknown(String),
    /// `dscp` with something that is no class.
    Class(DscpError),
    /// `mark` with something that is no 32-bit number.
    Mark(String),
    /// `pace` with something that is no time.
    Time(ParseError),
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(text) => write!(
                f,
                "action {text:?} is unknown: write drop, ecn, dscp:CLASS, mark:N, pace, pace:TIME, \
                 observe or pass"
            ),
            Self::Class(error) => error.fmt(f),
            Self::Mark(text) => {
                write!(f, "mark {text:?} is no number below 2^32: write mark:7 or mark:0x10")
            }
            Self::Time(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ActionError {}

/// What a group or a link does with packets that it has no room for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ParentAction {
    /// they are dropped
    #[default]
    Drop,
    /// they pass and are counted
    Observe,
}

impl fmt::Display for ParentAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Drop => "drop",
            Self::Observe => "observe",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any action but `pass`.
    pub(crate) fn charging() -> impl Strategy<Value = Action> {
        let ecn_above = prop::option::of(1_u64..=86_400_000_000_000);
        prop_oneof![
            Just(Action::Drop),
            Just(Action::Ecn),
            (0_u8..64).prop_filter_map("a class", Dscp::new).prop_map(Action::Dscp),
            any::<u32>().prop_map(Action::Mark),
            ecn_above.prop_map(|time| Action::Pace { ecn_above: time.map(Span::from_nanoseconds) }),
            Just(Action::Observe),
        ]
    }

    #[test]
    fn every_form_is_read_and_printed() {
        let pace = |time: u64| Action::Pace { ecn_above: Some(Span::from_nanoseconds(time)) };
        for (typed, action, printed) in [
            ("drop", Action::Drop, "drop"),
            ("ecn", Action::Ecn, "ecn"),
            ("dscp:af11", Action::Dscp(Dscp::new(10).unwrap()), "dscp:af11"),
            ("dscp:46", Action::Dscp(Dscp::new(46).unwrap()), "dscp:ef"),
            ("mark:7", Action::Mark(7), "mark:7"),
            ("mark:0x10", Action::Mark(16), "mark:16"),
            ("pace", Action::Pace { ecn_above: None }, "pace"),
            ("pace:20ms", pace(20_000_000), "pace:20ms"),
            ("observe", Action::Observe, "observe"),
            ("pass", Action::Pass, "pass"),
        ] {
            assert_eq!(typed.parse(), Ok(action));
            assert_eq!(action.to_string(), printed);
        }
    }

    #[test]
    fn refusals_name_the_accepted_form() {
        for (typed, expected) in [
            ("", "write drop, ecn, dscp:CLASS, mark:N, pace, pace:TIME, observe or pass"),
            ("DROP", "write drop, ecn"),
            ("dscp", "dscp:CLASS"),
            ("drop:1", "write drop, ecn"),
            ("dscp:gold", "write cs0 to cs7"),
            ("mark:", "write mark:7 or mark:0x10"),
            ("mark:4294967296", "below 2^32"),
            ("mark:-1", "write mark:7"),
            ("pace:20", "write 20ms or 20s"),
        ] {
            let message = typed.parse::<Action>().unwrap_err().to_string();
            assert!(message.contains(expected), "{typed}: {message}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(action in charging()) {
            prop_assert_eq!(action.to_string().parse(), Ok(action));
            let json = serde_json::to_string(&action).unwrap();
            prop_assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action);
        }
    }
}
