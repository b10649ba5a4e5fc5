//! Dry runs, policies beside those in force, and reloads without a file.

use hyper::Method;

use super::*;
use crate::{control::PolicyAnswer, policy::PolicyPlan};

fn policy(link: &str) -> Value {
    json!({"limits": [{"prefix": "10.1.0.0/16", "down": {"bits_per_second": 8_000_000}}],
           "links": [{"interface": link, "up": {"bits_per_second": 80_000_000}}]})
}

async fn ask(
    running: &Running,
    method: Method,
    query: &str,
    body: &Value,
) -> Result<PolicyAnswer, Error> {
    running.client.send(method, &format!("/v1/policy{query}"), body).await
}

async fn prefixes(running: &Running) -> Vec<String> {
    let limits: Vec<LimitView> = running.client.get("/v1/limits").await.unwrap();
    limits.iter().map(|limit| limit.prefix.to_string()).collect()
}

fn planned(answer: PolicyAnswer) -> PolicyPlan {
    match answer {
        PolicyAnswer::Plan(plan) => plan,
        PolicyAnswer::Applied(applied) => panic!("not a dry run: {applied:?}"),
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_change_and_changes_nothing() {
    let running = Running::start();
    running.set("10.0.0.0/8", 8_000).await.unwrap();
    let whole =
        planned(ask(&running, Method::PUT, "?dry_run=true", &policy("eth1")).await.unwrap());
    let kinds = whole.limits.iter().map(|entry| (entry.before.is_some(), entry.after.is_some()));
    assert_eq!(kinds.collect::<Vec<_>>(), [(true, false), (false, true)]);
    assert_eq!(whole.links.len(), 1);
    let beside =
        planned(ask(&running, Method::PATCH, "?dry_run=true", &policy("eth1")).await.unwrap());
    assert_eq!((beside.limits.len(), beside.links.len()), (1, 1));
    assert_eq!(prefixes(&running).await, ["10.0.0.0/8"]);
}

#[tokio::test]
async fn what_would_be_refused_is_refused_in_a_dry_run_too() {
    let running = Running::start();
    for method in [Method::PUT, Method::PATCH] {
        for query in ["", "?dry_run=true"] {
            let error = ask(&running, method.clone(), query, &policy("eth9")).await.unwrap_err();
            assert_eq!(error.kind(), Kind::NotFound, "{method} {query}: {error}");
        }
    }
    assert!(prefixes(&running).await.is_empty());
}

#[tokio::test]
async fn globs_stand_for_the_links_that_are_attached() {
    let running = Running::start();
    for method in [Method::PUT, Method::PATCH] {
        let answer =
            ask(&running, method, "?globs=true&dry_run=true", &policy("eth*")).await.unwrap();
        assert_eq!(planned(answer).links.len(), 2);
    }
    let answer =
        ask(&running, Method::PATCH, "?globs=true&dry_run=true", &policy("wg*")).await.unwrap();
    let plan = planned(answer);
    assert_eq!((plan.links.len(), plan.warnings.len()), (0, 1), "{plan:?}");
}

#[tokio::test]
async fn entries_are_put_in_force_beside_those_there_are() {
    let running = Running::start();
    running.set("10.0.0.0/8", 8_000).await.unwrap();
    ask(&running, Method::PATCH, "", &policy("eth1")).await.unwrap();
    assert_eq!(prefixes(&running).await, ["10.0.0.0/8", "10.1.0.0/16"]);
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_read_again() {
    let running = Running::start();
    let error =
        running.client.send::<Value>(Method::POST, "/v1/reload", &json!({})).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.hint_text().unwrap().contains("--config"), "{error}");
}
