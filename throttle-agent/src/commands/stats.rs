//! `stats`.

use super::Context;
use crate::{cli::StatsArgs, error::Result, telemetry::StatsView};

pub(super) async fn run(context: &Context, args: StatsArgs) -> Result<()> {
    let Some(every_seconds) = args.watch else {
        return context.show::<StatsView>("/v1/stats").await;
    };
    let path = format!("/v1/stats/stream?every_seconds={every_seconds}");
    context.client.lines(&path, |stats: StatsView| context.output.show_again(&stats)).await
}
