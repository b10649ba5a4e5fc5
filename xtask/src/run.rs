//! `cargo xtask run -- ARGS`: the agent, freshly built.

use std::ffi::OsString;

use anyhow::Result;

use crate::{exec, setup, workspace};

/// Builds the agent and becomes it.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    setup::run(setup::For::Build)?;
    let mut cargo = workspace::cargo()?;
    cargo.args(["run", "--quiet", "--release", "-p", "throttle-agent", "--bin", "throttle-agent"]);
    exec::replace(cargo.arg("--").args(arguments), "running throttle-agent")
}
