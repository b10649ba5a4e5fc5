//! `cargo xtask demo`: the main job on an embedded default.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::{build, exec, setup, workspace};

const NAME: &str = "demo";

/// Builds the agent and becomes the demo, so that a Ctrl-C gives the prompt back only once the demo has
/// tidied up.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    prepare()?;
    exec::replace(&mut program(NAME, arguments)?, "running the demo")
}

/// Builds the agent, runs the demo and comes back.
pub(crate) fn check() -> Result<()> {
    prepare()?;
    exec::run(&mut program(NAME, &[])?, "running the demo")
}

/// A binary of the test package, built for release.
pub(crate) fn program(name: &str, arguments: &[OsString]) -> Result<Command> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["run", "--quiet", "--release", "-p", "throttle-tests", "--bin", name, "--"]);
    cargo.args(arguments);
    Ok(cargo)
}

fn prepare() -> Result<()> {
    exec::require_root(NAME)?;
    setup::run(setup::For::Tests)?;
    build::agent()
}
