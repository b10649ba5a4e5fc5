//! `top`.

use super::Context;
use crate::{
    cli::{Global, TopArgs},
    error::{Error, Result},
    top::{self, TopOptions},
};

pub(super) async fn run(context: Context, global: &Global, args: TopArgs) -> Result<()> {
    if global.json {
        return Err(Error::usage("top draws a screen: --json says nothing to it")
            .hint("for a program, use throttle-agent host list --top 20 --json"));
    }
    let TopArgs { every, ascii } = args;
    let options = TopOptions { every_seconds: every, ascii, color: global.color };
    top::run(context.client, options).await
}
