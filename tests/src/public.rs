//! The agent's binary where every user may run it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::netns::unique_name;
use crate::{agent, leftovers};

/// A copy of the binary that everybody may run; removed on drop.
#[derive(Debug)]
pub struct PublicBinary(PathBuf);

impl PublicBinary {
    /// Copies the binary.
    pub fn new() -> Result<Self> {
        let directory = std::env::temp_dir().join(unique_name());
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        let copy = Self(directory);
        fs::copy(agent::binary(), copy.path()).context("copying the binary")?;
        Ok(copy)
    }

    /// The command line of the copy, yet without options.
    pub fn command(&self) -> Command {
        Command::new(self.path())
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.join("throttle-agent")
    }
}

impl Drop for PublicBinary {
    fn drop(&mut self) {
        leftovers::remove(&self.0);
    }
}
