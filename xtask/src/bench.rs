//! `cargo xtask bench`: the benchmarks whose tables back the README's figures.

use std::ffi::OsString;

use anyhow::Result;
use clap::ValueEnum;

use crate::{build, demo, exec, setup};

/// A benchmark of the test package.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// Measured rate against limit, for floods of every speed and direction
    Accuracy,
    /// Processor time, answers of the command line and memory of the agent with a million hosts
    Agent,
    /// Hosts, memory and log while 10 million spoofed hosts flood the table
    Attack,
    /// Nanoseconds per packet above an empty classifier
    Path,
    /// Time until a whole policy, and until one change, is in force
    Policy,
}

/// Builds the agent and becomes one benchmark.
pub(crate) fn run(name: Name, arguments: &[OsString]) -> Result<()> {
    let (task, binary) = match name {
        Name::Accuracy => ("bench accuracy", "bench-accuracy"),
        Name::Agent => ("bench agent", "bench-agent"),
        Name::Attack => ("bench attack", "bench-attack"),
        Name::Path => ("bench path", "bench-path"),
        Name::Policy => ("bench policy", "bench-policy"),
    };
    exec::require_root(task)?;
    setup::run(setup::For::Tests)?;
    build::agent()?;
    exec::replace(&mut demo::program(binary, arguments)?, &format!("running {binary}"))
}
