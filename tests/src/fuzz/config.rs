//! The configuration file.
//!
//! Input: its text.

use std::path::Path;

use throttle_agent::config::{AgentKeys, Config, write};
use throttle_agent::error::Kind;
use throttle_agent::policy::{Policy, PolicyRequest};
use throttle_common::abi::Side;

/// Where the file lies: a folder without other files.
const PATH: &str = "/nonexistent/throttle/policy.toml";

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // A file may name others, which are none of the fuzzer's business.
    if text.contains("subscribers") {
        return;
    }
    let config = match Config::parse(text, Path::new(PATH)) {
        Ok(config) => config,
        Err(error) => {
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            let lines = [error.to_string()];
            let lines = if error.details().is_empty() { &lines } else { error.details() };
            let is_told = |line: &String| line.starts_with(PATH) || is_rest(line);
            assert!(lines.iter().all(is_told), "{lines:?} name no place");
            return;
        }
    };
    let bits = config.agent.ipv6_host_prefix();
    let checked = config.request().check(bits);
    let policy = checked.unwrap_or_else(|error| panic!("accepted, yet unsound: {error}")).value;
    check_export(&config.agent, &policy);
}

/// Whether a line stands for all mistakes that are not told, as in `and 5 more`.
fn is_rest(line: &str) -> bool {
    let count = line.strip_prefix("and ").and_then(|rest| rest.strip_suffix(" more"));
    count.is_some_and(|count| count.parse::<u64>().is_ok())
}

/// What is exported asks for the same policy. Patterns of links are written as names here, as those that are
/// attached would be.
fn check_export(agent: &AgentKeys, policy: &Policy) {
    let links: Vec<_> = policy.links.keys().map(|name| (name.clone(), Side::Far)).collect();
    let text = write(agent, &links, &PolicyRequest::from(policy));
    let config = Config::parse(&text, Path::new(PATH));
    let config = config.unwrap_or_else(|error| panic!("{error} {:?} in\n{text}", error.details()));
    let request = config.request();
    let mut again =
        request.check(config.agent.ipv6_host_prefix()).expect("what was exported").value;
    again.links = std::mem::take(&mut again.links)
        .into_iter()
        .map(|(pattern, limit)| (plain(&pattern, policy), limit))
        .collect();
    assert_eq!(&again, policy, "of\n{text}");
    let once_more = write(agent, &links, &PolicyRequest::from(&again));
    assert_eq!(once_more, text, "the normal form");
}

/// The name that an escaped pattern stands for.
fn plain(pattern: &str, policy: &Policy) -> String {
    let named = policy.links.keys().find(|name| glob::Pattern::escape(name) == *pattern);
    named.cloned().unwrap_or_else(|| pattern.to_owned())
}
