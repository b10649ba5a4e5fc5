//! The binary that is packaged: static, so that it runs on any distribution and needs no other package.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{ebpf, exec, workspace};

/// The only target that is packaged.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds it and returns its path. Where it was built is not in it.
pub(super) fn build() -> Result<PathBuf> {
    let root = workspace::root()?;
    let mut cargo = workspace::cargo()?;
    cargo.args(["build", "--release", "-p", "throttle-agent", "--target", TARGET]);
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", rust_flags(&root)?);
    exec::run(&mut cargo, "building the static throttle-agent")?;
    Ok(ebpf::outer_target_dir(&root).join(TARGET).join("release/throttle-agent"))
}

fn rust_flags(root: &Path) -> Result<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = match home {
        Some(home) => home,
        None => Path::new(&env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok(format!("{} {}", remap(&home, "/cargo"), remap(root, "/throttle")))
}
