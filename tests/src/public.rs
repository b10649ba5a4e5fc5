//! The agent's binary where every user may run it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::agent;
use crate::folder::Folder;

/// A copy of the binary that everybody may run; removed on drop.
#[derive(Debug)]
pub struct PublicBinary(Folder);

impl PublicBinary {
    /// Copies the binary.
    pub fn new() -> Result<Self> {
        let folder = Folder::new()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let copy = Self(folder);
        fs::copy(agent::binary(), copy.path()).context("copying the binary")?;
        Ok(copy)
    }

    /// The command line of the copy, yet without options.
    pub fn command(&self) -> Command {
        Command::new(self.path())
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("throttle-agent")
    }
}
