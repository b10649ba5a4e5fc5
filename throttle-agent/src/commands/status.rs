//! `status`.

use super::Context;
use crate::{control::StatusView, error::Result};

pub(super) async fn run(context: &Context) -> Result<()> {
    let status: StatusView = context.client.get("/v1/status").await?;
    context.output.show(&status)?;
    context.warn(&status.warnings);
    Ok(())
}
