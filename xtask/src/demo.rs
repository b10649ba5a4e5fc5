//! `cargo xtask demo`: the main job on an embedded default.

use std::ffi::OsString;

use anyhow::Result;

use crate::{build, exec, setup, workspace};

/// Builds the agent and runs the demo against it.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    exec::require_root("demo")?;
    setup::run(setup::For::Tests)?;
    build::agent()?;
    program("demo", arguments)
}

/// Runs a binary of the test package in release.
pub(crate) fn program(name: &str, arguments: &[OsString]) -> Result<()> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["run", "--quiet", "--release", "-p", "throttle-tests", "--bin", name, "--"]);
    exec::run(cargo.args(arguments), &format!("running {name}"))
}
