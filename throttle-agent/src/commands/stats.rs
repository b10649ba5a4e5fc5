//! `stats`.

use super::Context;
use crate::{cli::StatsArgs, error::Result, telemetry::StatsView};

pub(super) async fn run(context: &Context, args: StatsArgs) -> Result<()> {
    let Some(every_seconds) = args.watch else {
        let stats: StatsView = context.client.get("/v1/stats").await?;
        return context.output.show(&stats);
    };
    let path = format!("/v1/stats/stream?every_seconds={every_seconds}");
    context.client.lines(&path, |stats: StatsView| context.output.show_again(&stats)).await
}
