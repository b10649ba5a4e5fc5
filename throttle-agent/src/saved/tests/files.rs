//! Files that fail at one step, or from it on.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::saved::files::{Disk, Files};

/// What becomes of the steps after the last one that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process is gone: nothing more happens, and the step itself was done half.
    Crash,
    /// The step fails, as on a full disk; later ones work.
    Refusal,
}

/// The file system, until its steps are used up.
pub(super) struct Failing {
    pub(super) steps: Arc<AtomicUsize>,
    pub(super) fault: Fault,
}

impl Failing {
    fn step(&self) -> io::Result<()> {
        let left = self.steps.load(Ordering::Relaxed);
        if left == 0 {
            if self.fault == Fault::Refusal {
                self.steps.store(usize::MAX, Ordering::Relaxed);
            }
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if left < usize::MAX {
            self.steps.store(left - 1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Files for Failing {
    fn make_directory(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        Disk.make_directory(path)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step() {
            Disk.write(path, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        Disk.write(path, bytes)
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step() {
            Disk.append(path, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        Disk.append(path, bytes)
    }

    fn truncate(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        self.step()?;
        Disk.truncate(path, bytes)
    }

    fn link(&mut self, path: &Path, other: &Path) -> io::Result<()> {
        self.step()?;
        Disk.link(path, other)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        Disk.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        Disk.remove(path)
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        Disk.sync_directory(path)
    }
}
