//! `events`.

use tokio::signal::ctrl_c;

use super::Context;
use crate::{
    cli::EventsArgs,
    control::Told,
    error::{Kind, Result, ResultExt},
};

pub(super) async fn run(context: &Context, args: EventsArgs) -> Result<()> {
    let EventsArgs { follow, trace } = args;
    let tell = |told: Told| context.output.tell(&told);
    if !follow && trace.is_none() {
        return context.client.items("/v1/events", tell).await;
    }
    let trace = trace.map(|trace| format!("&trace={trace}")).unwrap_or_default();
    let path = format!("/v1/events?follow=true{trace}");
    tokio::select! {
        told = context.client.lines(&path, tell) => told,
        interrupted = ctrl_c() => interrupted.doing(Kind::Failed, || "waiting for Ctrl-C"),
    }
}
