//! Folders with a Debian in them, to install packages in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;

/// The oldest Debian that the package is for.
const SUITE: &str = "bookworm";

/// A Debian that is removed when dropped.
pub(super) struct Root(PathBuf);

impl Root {
    /// A fresh one below `directory`, copied from one that is downloaded once.
    pub(super) fn new(directory: &Path, name: &str) -> Result<Self> {
        let pristine = directory.join(format!("debian-{SUITE}"));
        if !pristine.exists() {
            download(&pristine)?;
        }
        let root = Self(directory.join(name));
        root.clear()?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]).arg(&pristine).arg(&root.0);
        exec::run(&mut copy, "copying a Debian")?;
        Ok(root)
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) -> Result<()> {
        if !self.0.exists() {
            return Ok(());
        }
        fs::remove_dir_all(&self.0).with_context(|| format!("removing {}", self.0.display()))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            eprintln!("package: {error:#}");
        }
    }
}

fn download(to: &Path) -> Result<()> {
    let unfinished = to.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).context("removing an unfinished download")?;
    }
    eprintln!("package: downloading Debian {SUITE} (the package is installed in it)");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2"]);
    debootstrap.arg(SUITE).arg(&unfinished);
    exec::output(&mut debootstrap, "downloading Debian")?;
    fs::rename(&unfinished, to).context("keeping the download")
}
