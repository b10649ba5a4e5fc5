//! The archive for distributions without a package of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::binary::TARGET;
use super::parts::{Parts, SHELLS};
use super::stage::{DATA, PROGRAM, Stage, name};
use crate::exec;

/// Makes `throttle-agent-VERSION-x86_64-linux-musl.tar.gz` in `directory`.
pub(super) fn build(parts: &Parts, directory: &Path, version: &str) -> Result<PathBuf> {
    let folder = format!("throttle-agent-{version}-{}", TARGET.replace("-unknown", ""));
    let stage = Stage::new(directory.join(&folder))?;
    stage.copy(&parts.binary, "throttle-agent", PROGRAM)?;
    stage.copy_all(&parts.packaging("systemd"), "systemd")?;
    stage.copy_all(&parts.packaging("sysusers"), "sysusers")?;
    stage.copy(&parts.packaging("default.toml"), "default.toml", DATA)?;
    stage.copy(&parts.packaging("INSTALL.md"), "INSTALL.md", DATA)?;
    for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        stage.copy(&parts.root.join(file), file, DATA)?;
    }
    for (shell, place) in SHELLS {
        let file = name(Path::new(place));
        stage.write(parts.completions(shell)?, &format!("completions/{shell}/{file}"), DATA)?;
    }
    parts.manual(&stage, "man")?;
    parts.examples(&stage, "examples")?;
    let archive = directory.join(format!("{folder}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.current_dir(directory).args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{}", parts.epoch)).arg("--use-compress-program=gzip -9 --no-name");
    tar.arg("--create").arg("--file").arg(&archive).arg(&folder);
    exec::run(&mut tar, "building the archive")?;
    Ok(archive)
}
