//! `limit set|del|show|list`.

use hyper::Method;

use super::{Context, done_word, rates_words};
use crate::{
    cli::{LimitName, LimitSetArgs},
    control::{LimitDeleted, LimitSet},
    error::Result,
    policy::{IPV6_HOST_PREFIXES, LimitKey, LimitView, Match},
};

pub(super) async fn set(context: &Context, args: &LimitSetArgs) -> Result<()> {
    let request = args.request()?;
    // The agent checks again; here, a mistake is found without an agent as well. How long an IPv6
    // host is, only the agent knows.
    request.check(args.prefix.resolve(*IPV6_HOST_PREFIXES.end())?)?;
    let path = format!("/v1/limits/{}", args.prefix);
    let answer: LimitSet = context.client.send(Method::PUT, &path, &request).await?;
    context.warn(&answer.warnings);
    context.output.done(&answer, words(&answer))
}

pub(super) async fn delete(context: &Context, name: &LimitName) -> Result<()> {
    let answer: LimitDeleted = context.client.delete(&path(name)).await?;
    let key = LimitKey { prefix: answer.deleted, matches: answer.matches };
    context.output.done(&answer, format_args!("deleted limit {key}"))
}

pub(super) async fn show(context: &Context, name: &LimitName) -> Result<()> {
    let limit: LimitView = context.client.get(&path(name)).await?;
    context.output.show(&limit)
}

pub(super) async fn list(context: &Context) -> Result<()> {
    context.show::<Vec<LimitView>>("/v1/limits").await
}

fn path(LimitName { prefix, matches }: &LimitName) -> String {
    format!("/v1/limits/{prefix}?match={matches}")
}

fn words(LimitSet { limit, change, .. }: &LimitSet) -> String {
    let mut traits = match limit.matches {
        Match::Host => vec![limit.scope.to_string(), limit.action.to_string()],
        Match::Peer => vec![limit.action.to_string()],
    };
    traits.extend(limit.group.as_ref().map(|group| format!("group {group}")));
    let mut rates = rates_words(limit.up, limit.down, limit.total);
    rates.extend(limit.extras());
    let rates = if rates.is_empty() { String::new() } else { format!(": {}", rates.join("; ")) };
    format!("{} limit {} ({}){rates}", done_word(*change), limit.key(), traits.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::ChangeName,
        policy::{LimitRequest, RatesRequest},
    };

    fn said(request: &LimitRequest, change: ChangeName) -> String {
        let limit = request.check("10.0.0.0/8".parse().unwrap()).unwrap().value;
        words(&LimitSet { limit: LimitView::from(&limit), change, warnings: Vec::new() })
    }

    #[test]
    fn what_was_done_is_said_in_the_words_that_ask_for_it() {
        let up = RatesRequest { bits_per_second: Some(10_000_000), ..Default::default() };
        let request = LimitRequest { up, ..Default::default() };
        assert_eq!(
            said(&request, ChangeName::Created),
            "set limit 10.0.0.0/8 (each, drop): up 10mbit burst 312500b"
        );
        let request = LimitRequest {
            group: Some("acme".parse().unwrap()),
            action: "dscp:8".parse().unwrap(),
            one_time_burst_bytes: Some(1 << 20),
            ..request
        };
        assert_eq!(
            said(&request, ChangeName::Replaced),
            "replaced limit 10.0.0.0/8 (each, dscp:cs1, group acme): \
             up 10mbit burst 312500b; one-time burst 1mb"
        );
        let request = LimitRequest {
            matches: Match::Peer,
            action: "pass".parse().unwrap(),
            ..Default::default()
        };
        assert_eq!(
            said(&request, ChangeName::Unchanged),
            "unchanged: limit 10.0.0.0/8 (peer) (pass)"
        );
    }
}
