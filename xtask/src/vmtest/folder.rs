//! Where kernels are kept, and what guests boot from.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempPath;

use crate::workspace;

/// `target/vm`, which one run holds at a time.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Folder {
    /// Waits for whichever run holds it.
    pub(super) fn hold() -> Result<Self> {
        let path = workspace::root()?.join("target/vm");
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        let name = path.join("lock");
        let doing = || format!("locking {}", name.display());
        let lock = File::create(&name).with_context(doing)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                eprintln!("vmtest: waiting for the run that holds {}", name.display());
                lock.lock().with_context(doing)?;
            }
            outcome => outcome.with_context(doing)?,
        }
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The place of a file that is removed on drop; one that a killed run leaves behind is written over by the next.
    pub(super) fn scratch(&self, name: &str) -> Result<TempPath> {
        let path = self.path.join(name);
        let doing = || format!("taking {} for a while", path.display());
        TempPath::try_from_path(&path).with_context(doing)
    }
}
