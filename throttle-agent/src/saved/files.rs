//! The few steps on files that saving takes; each leaves what it did on the disk.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use crate::fault;

/// A file system, in earnest or in a test that stops between two steps.
pub(super) trait Files: Send {
    /// Makes a directory and those above it.
    fn make_directory(&mut self, path: &Path) -> io::Result<()>;
    /// Writes a whole file, new or in the place of an old one.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes at the end of a file.
    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    fn truncate(&mut self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Gives a file a second name.
    fn link(&mut self, path: &Path, other: &Path) -> io::Result<()>;
    /// Gives a file another name, in the place of whatever had it.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; one that is not there is no failure.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory last.
    fn sync_directory(&mut self, path: &Path) -> io::Result<()>;
}

/// The file system.
pub(super) struct Disk;

impl Files for Disk {
    fn make_directory(&mut self, path: &Path) -> io::Result<()> {
        fault::before("making the directory of saved changes")?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fault::before("making a snapshot")?;
        let mut file = options().truncate(true).open(path)?;
        file.write_all(bytes)?;
        fault::before("syncing a snapshot")?;
        file.sync_all()
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fault::before("opening the journal")?;
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        fault::before("syncing the journal")?;
        file.sync_data()
    }

    fn truncate(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        fault::before("cutting the journal")?;
        let file = options().open(path)?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn link(&mut self, path: &Path, other: &Path) -> io::Result<()> {
        fault::before("keeping the snapshot before")?;
        fs::hard_link(path, other)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fault::before("renaming a snapshot")?;
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fault::before("removing what a snapshot holds")?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        fault::before("syncing the directory of saved changes")?;
        File::open(path)?.sync_all()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}
