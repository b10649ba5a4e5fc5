//! Where the workspace is, and commands that work on it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::ebpf;

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    // At run time, since checkouts that share a target directory share the binary too.
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest_dir.parent().map(Path::to_path_buf);
    root.with_context(|| format!("finding the workspace above {}", manifest_dir.display()))
}

/// The cargo that started this process, in the workspace's root.
pub(crate) fn cargo() -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()?);
    Ok(command)
}

/// `PROGRAM` of the toolchain that compiles the eBPF crate.
pub(crate) fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", ebpf::TOOLCHAIN, program]);
    command
}

/// A tool that set-up has installed, or will.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    Ok(ebpf::tools_dir(&root()?).join("bin").join(name))
}
