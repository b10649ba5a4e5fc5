//! `check|apply|export|import|reload`.

use std::path::Path;

use hyper::Method;
use serde::Serialize;
use throttle_common::abi::Side;

use super::{Context, wait};
use crate::{
    cli::{ApplyArgs, CheckArgs, ImportArgs},
    config::{self, Config},
    control::{PolicyApplied, StatusView},
    error::Result,
    output::Progress,
    policy::{PolicyPlan, PolicyRequest},
};

/// What a sound file holds.
#[derive(Debug, Serialize)]
struct Checked {
    links: usize,
    groups: usize,
    limits: usize,
    warnings: Vec<String>,
}

pub(super) fn check(context: &Context, args: &CheckArgs) -> Result<()> {
    let config = read(&args.file)?;
    context.warn(&config.warnings);
    let (links, groups, limits) =
        (config.links.len(), config.policy.groups.len(), config.policy.limits.len());
    let answer = Checked { links, groups, limits, warnings: config.warnings };
    let file = args.file.display();
    let words = format!(
        "{file} is sound: {}",
        counted([(links, "link"), (groups, "group"), (limits, "limit")])
    );
    context.output.done(&answer, words)
}

pub(super) fn apply(context: &Context, args: &ApplyArgs) -> Result<()> {
    let config = read(&args.file)?;
    let request = config.request();
    wait(async {
        let status: StatusView = context.client.get("/v1/status").await?;
        context.warn(&config.agent.differences(&status.settings));
        put(context, Method::PUT, ("globs=true&", args.dry_run), &request, &args.file).await
    })
}

pub(super) fn import(context: &Context, args: &ImportArgs) -> Result<()> {
    let progress = Progress::new(format!("reading {}", args.file.display()));
    let request = config::read_subscribers(&args.file, &args.defaults())?;
    drop(progress);
    wait(put(context, Method::PATCH, ("", args.dry_run), &request, &args.file))
}

pub(super) async fn export(context: &Context) -> Result<()> {
    let status: StatusView = context.client.get("/v1/status").await?;
    let policy: PolicyRequest = context.client.get("/v1/policy").await?;
    let side = |name: &str| if name == "near" { Side::Near } else { Side::Far };
    let links = status.links.into_iter();
    let links: Vec<_> =
        links.filter_map(|link| Some((link.interface?, side(&link.side)))).collect();
    context.output.text(&policy, || config::write(&status.settings, &links, &policy))
}

pub(super) async fn reload(context: &Context) -> Result<()> {
    let progress = Progress::new("reading the configuration file again".to_owned());
    let answer: PolicyApplied =
        context.client.send(Method::POST, "/v1/reload", &serde_json::json!({})).await?;
    drop(progress);
    context.warn(&answer.warnings);
    context.output.done(&answer, applied_words("the configuration file", &answer))
}

fn read(file: &Path) -> Result<Config> {
    let _progress = Progress::new(format!("reading {}", file.display()));
    Config::read(file)
}

/// Sends a policy, and shows what it would change or says what it changed.
async fn put(
    context: &Context,
    method: Method,
    (query, dry_run): (&str, bool),
    request: &PolicyRequest,
    file: &Path,
) -> Result<()> {
    let progress = Progress::new(format!("putting {} limits in force", request.limits.len()));
    let path = format!("/v1/policy?{query}dry_run={dry_run}");
    if dry_run {
        let plan: PolicyPlan = context.client.send(method, &path, request).await?;
        drop(progress);
        context.warn(&plan.warnings);
        return context.output.plan(&plan);
    }
    let answer: PolicyApplied = context.client.send(method, &path, request).await?;
    drop(progress);
    context.warn(&answer.warnings);
    context.output.done(&answer, applied_words(&file.display().to_string(), &answer))
}

fn applied_words(what: &str, applied: &PolicyApplied) -> String {
    let changes = [
        (applied.limits_set, "set", "limit"),
        (applied.limits_deleted, "deleted", "limit"),
        (applied.groups_set, "set", "group"),
        (applied.groups_deleted, "deleted", "group"),
        (applied.links_set, "set", "link"),
    ];
    let changes = changes.into_iter().filter(|(count, ..)| *count > 0);
    let words: Vec<_> =
        changes.map(|(count, done, name)| format!("{done} {}", counted([(count, name)]))).collect();
    if words.is_empty() {
        format!("{what} is in force already: nothing changed")
    } else {
        format!("{what} is in force: {}", words.join(", "))
    }
}

fn counted<const N: usize>(counts: [(usize, &str); N]) -> String {
    let words =
        counts.map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
    words.join(", ")
}
