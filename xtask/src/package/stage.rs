//! A folder of files on their way into a package.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;

/// Files for everybody to read.
pub(super) const DATA: u32 = 0o644;
/// Programs for everybody to run.
pub(super) const PROGRAM: u32 = 0o755;

/// A folder that is empty at first.
pub(super) struct Stage(PathBuf);

impl Stage {
    /// Makes the folder, in place of one that is there.
    pub(super) fn new(directory: PathBuf) -> Result<Self> {
        if directory.exists() {
            let doing = || format!("removing {}", directory.display());
            fs::remove_dir_all(&directory).with_context(doing)?;
        }
        make(&directory)?;
        Ok(Self(directory))
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Copies a file to `to`, a path in the folder.
    pub(super) fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.write(&content, to, mode)
    }

    /// Copies every file of a folder to the folder `to`.
    pub(super) fn copy_all(&self, from: &Path, to: &str) -> Result<()> {
        for path in files(from)? {
            self.copy(&path, &format!("{to}/{}", name(&path)), DATA)?;
        }
        Ok(())
    }

    /// Writes a file.
    pub(super) fn write(&self, content: impl AsRef<[u8]>, to: &str, mode: u32) -> Result<()> {
        let path = self.0.join(to);
        let doing = || format!("writing {}", path.display());
        if let Some(parent) = path.parent() {
            make(parent)?;
        }
        fs::write(&path, content).with_context(doing)?;
        fs::set_permissions(&path, Permissions::from_mode(mode)).with_context(doing)
    }

    /// Compresses a file that is there, as documentation is, without a trace of when.
    pub(super) fn compress(&self, path: &str) -> Result<()> {
        let mut gzip = Command::new("gzip");
        gzip.args(["-9", "--no-name", "--force"]).arg(self.0.join(path));
        exec::run(&mut gzip, "compressing documentation")
    }

    /// Every file, sorted by path relative to the folder.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        collect(&self.0, &mut found)?;
        let relative = found.iter().filter_map(|path| path.strip_prefix(&self.0).ok());
        let mut relative: Vec<_> = relative.map(Path::to_path_buf).collect();
        relative.sort();
        Ok(relative)
    }
}

/// The files of a folder, sorted, without those of folders in it.
pub(super) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("reading {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(doing)? {
        let path = entry.with_context(doing)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The last part of a path.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    found.extend(files(directory)?);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        }
    }
    Ok(())
}

/// Makes a folder, and those above it, for everybody to enter.
fn make(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make(parent)?;
    }
    let doing = || format!("making {}", directory.display());
    fs::create_dir(directory).with_context(doing)?;
    fs::set_permissions(directory, Permissions::from_mode(PROGRAM)).with_context(doing)
}
