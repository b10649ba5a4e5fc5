//! What an operator types as a quantity, an action or a prefix.
//!
//! Input: the text.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use throttle_agent::links::LinkSpec;
use throttle_agent::policy::{
    Action, Burst, Dscp, GroupName, TypedPacketRate, TypedPrefix, TypedRate, overhead,
};
use throttle_common::units::{BitRate, PacketsPerSecond, Size, Span};

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    round_trip::<BitRate>(text);
    round_trip::<PacketsPerSecond>(text);
    round_trip::<Size>(text);
    round_trip::<Span>(text);
    round_trip::<Action>(text);
    round_trip::<Dscp>(text);
    round_trip::<GroupName>(text);
    round_trip::<TypedPrefix>(text);
    told::<TypedRate>(text);
    told::<TypedPacketRate>(text);
    told::<Burst>(text);
    told::<LinkSpec>(text);
    if let Err(message) = overhead(text) {
        check_message(&message);
    }
    only_one_reading(text);
}

/// What is accepted is printed in a form that means the same and is printed the same.
fn round_trip<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            let again = printed.parse::<T>();
            let again =
                again.unwrap_or_else(|error| panic!("{text:?} prints {printed:?}: {error}"));
            assert_eq!(again, value, "{text:?} prints {printed:?}");
            assert_eq!(again.to_string(), printed, "the normal form of {text:?}");
        }
        Err(error) => check_message(&error.to_string()),
    }
}

/// What is refused is refused in words.
fn told<T: FromStr<Err: Display>>(text: &str) {
    if let Err(error) = text.parse::<T>() {
        check_message(&error.to_string());
    }
}

/// Messages are one line, and end without a period.
fn check_message(message: &str) {
    let is_line = !message.is_empty() && !message.contains('\n') && !message.ends_with('.');
    assert!(is_line, "{message:?}");
}

/// A text that is a rate is no size, and one that is a time is neither; so no unit is read in two ways.
fn only_one_reading(text: &str) {
    let readings = [
        text.parse::<BitRate>().is_ok(),
        text.parse::<PacketsPerSecond>().is_ok(),
        text.parse::<Size>().is_ok(),
        text.parse::<Span>().is_ok(),
    ];
    let count = readings.iter().filter(|is_read| **is_read).count();
    assert!(count <= 1, "{text:?} is read in {count} ways: {readings:?}");
}
