//! `cargo xtask lint`: formatting, lock files, clippy, licences and sources.

use std::env;
use std::process::Command;

use anyhow::{Error, Result};

use crate::{ebpf, exec, setup, workspace};

/// The workspace's, and that of the fuzz targets, which are built otherwise.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "tests/fuzz/Cargo.toml"];

/// Runs every check and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    setup::run(setup::For::Lint)?;
    format()?;
    locks()?;
    host()?;
    ebpf()?;
    dependencies()
}

fn format() -> Result<()> {
    MANIFESTS.into_iter().try_for_each(|manifest| {
        let mut cargo = workspace::cargo()?;
        cargo.args(["fmt", "--all", "--check", "--manifest-path", manifest]);
        exec::run(&mut cargo, "checking the format")
    })
}

/// Each lock file has all that its manifests ask for: no build changes it.
fn locks() -> Result<()> {
    for manifest in MANIFESTS {
        let mut cargo = workspace::cargo()?;
        cargo.args(["metadata", "--locked", "--format-version=1", "--manifest-path", manifest]);
        exec::output(&mut cargo, "checking the lock files")?;
    }
    Ok(())
}

/// The default members: all but the eBPF crate, whose features must not mix with the host's. The agent as tests have
/// it: builds have the other.
fn host() -> Result<()> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["clippy", "--all-targets", "--features", "throttle-agent/fault-points"]);
    cargo.args(["--", "-D", "warnings"]);
    exec::run(&mut cargo, "linting the host crates")
}

fn ebpf() -> Result<()> {
    let root = workspace::root()?;
    let linker = ebpf::find_linker(&root).map_err(Error::msg)?;
    let mut cargo = ebpf::cargo(&root, "clippy", &linker, env::consts::ARCH);
    exec::run(cargo.args(["--", "-D", "warnings"]), "linting the eBPF crate")
}

/// Advisories are left out: their database is fetched from a place that a build need not reach.
fn dependencies() -> Result<()> {
    let mut deny = Command::new(workspace::tool(setup::DENY.name)?);
    deny.current_dir(workspace::root()?).args(["check", "bans", "licenses", "sources"]);
    exec::run(&mut deny, "checking dependencies")
}
