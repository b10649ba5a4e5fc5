//! `cargo xtask build`: the release binary, which is the whole deployment.

use anyhow::Result;

use crate::{exec, setup, workspace};

/// Sets up and builds.
pub(crate) fn run() -> Result<()> {
    setup::run(setup::For::Build)?;
    agent()
}

/// Builds the agent with the eBPF object inside (see `throttle-agent/build.rs`).
pub(crate) fn agent() -> Result<()> {
    let mut cargo = workspace::cargo()?;
    exec::run(cargo.args(["build", "--release", "-p", "throttle-agent"]), "building throttle-agent")
}

/// Builds the agent that tests end at any step, and have refused one.
pub(crate) fn agent_with_faults() -> Result<()> {
    let package = ["build", "--release", "-p", "throttle-agent", "--bin", "throttle-agent-faults"];
    let mut cargo = workspace::cargo()?;
    cargo.args(package).args(["--features", "fault-points"]);
    exec::run(&mut cargo, "building throttle-agent-faults")
}
