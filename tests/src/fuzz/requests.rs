//! Bodies of requests to the control socket, read into the types that its handlers take.
//!
//! Input: a byte that says whose body it is, and JSON.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use throttle_agent::error::{Kind, Result};
use throttle_agent::policy::{
    GroupRequest, IPV6_HOST_PREFIXES, LimitRequest, LinkRequest, PolicyRequest,
};

/// Two prefixes that a limit may be set for.
const PREFIXES: [&str; 2] = ["10.0.0.0/24", "2001:db8::/64"];

pub(super) fn check(bytes: &[u8]) {
    let Some((kind, json)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => {
            let prefix = PREFIXES[usize::from(kind / 4 % 2)].parse().expect("a prefix");
            hold(
                json,
                |request: &LimitRequest| Ok(request.check(prefix)?.value),
                |limit| limit.into(),
            );
        }
        1 => {
            let name: throttle_agent::policy::GroupName = "acme".parse().expect("a name");
            hold(
                json,
                |request: &GroupRequest| Ok(request.check(name.clone())?.value),
                |group| group.into(),
            );
        }
        2 => hold(json, |request: &LinkRequest| Ok(request.check()?.value), |link| link.into()),
        _ => {
            let (least, most) = IPV6_HOST_PREFIXES.into_inner();
            let bits = least + kind / 4 % (most - least + 1);
            hold(
                json,
                |request: &PolicyRequest| Ok(request.check(bits)?.value),
                |policy| policy.into(),
            );
        }
    }
}

/// What is in force asks for itself, in JSON too; what is refused is a mistake of whoever asked.
fn hold<R, V>(json: &[u8], check: impl Fn(&R) -> Result<V>, ask: impl Fn(&V) -> R)
where
    R: DeserializeOwned + Serialize + Debug,
    V: PartialEq + Debug,
{
    let Ok(request) = serde_json::from_slice::<R>(json) else { return };
    let value = match check(&request) {
        Ok(value) => value,
        Err(error) => {
            assert!(matches!(error.kind(), Kind::Usage | Kind::Conflict), "{error}");
            return;
        }
    };
    let asked = serde_json::to_vec(&ask(&value)).expect("JSON");
    let read = serde_json::from_slice::<R>(&asked);
    let read = read.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&asked)));
    let again =
        check(&read).unwrap_or_else(|error| panic!("{value:?} asks for what is refused: {error}"));
    assert_eq!(again, value, "{}", String::from_utf8_lossy(&asked));
}
