//! One process at a time works on an instance.
//!
//! What is locked is a directory beside the pins, on the same file system, so the lock holds wherever the
//! pins can be reached from: in another mount or network namespace, under another layout version, and
//! without the control socket. The kernel frees it with the process that holds it.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
    sync::{Mutex, PoisonError},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::stat::{major, minor},
};

use super::{Options, pins, refusal::refused};
use crate::{
    error::{Error, Result},
    fault,
    instance::{lock_directory, pin_name},
};

/// Nobody else may open the directory, and with it take the lock.
const MODE: u32 = 0o700;

/// Where the kernel lists all locks.
const LOCKS: &str = "/proc/locks";

/// The right to work on an instance; freed when dropped.
#[derive(Debug)]
pub struct InstanceLock {
    options: Options,
    locked: Mutex<Locked>,
}

#[derive(Debug)]
struct Locked {
    identity: Identity,
    _directory: Flock<File>,
    /// Whether it has been told that the lock was lost.
    is_told: bool,
}

impl InstanceLock {
    /// Takes the lock, and mounts the BPF file system if nobody has.
    ///
    /// # Errors
    /// Another process has the lock, or there is no BPF file system and it cannot be mounted.
    pub fn take(options: &Options) -> Result<Self> {
        pins::mount(options)?;
        Ok(Self { options: options.clone(), locked: Mutex::new(Locked::take(options)?) })
    }

    /// Takes the lock again where others have removed its directory, and tells so; a failure is told once.
    pub fn renew(&self) {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let path = lock_directory(&self.options.pin_root, &self.options.instance);
        if locked.identity.is_at(&path) {
            return;
        }
        match Locked::take(&self.options) {
            Ok(anew) => {
                tracing::warn!("others removed {}: locked again", path.display());
                *locked = anew;
            }
            Err(error) if !locked.is_told => {
                locked.is_told = true;
                tracing::error!("others removed {}, and now: {error}", path.display());
            }
            Err(_) => {}
        }
    }

    /// As [`take`](Self::take), for removing the instance: `None` where no instance has ever been, so that
    /// there is nothing to remove.
    ///
    /// # Errors
    /// As with [`take`](Self::take).
    pub fn take_to_remove(options: &Options) -> Result<Option<Self>> {
        if options.pin_root.exists() { Self::take(options).map(Some) } else { Ok(None) }
    }
}

impl Locked {
    fn take(options: &Options) -> Result<Self> {
        let path = lock_directory(&options.pin_root, &options.instance);
        let failed = |error: io::Error| refused(error, format!("locking {}", path.display()));
        loop {
            // Whoever had it may just be removing it, at each step.
            let directory = match open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(failed)?,
            };
            let identity = Identity::of(&directory.metadata().map_err(failed)?);
            match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
                Ok(_) if !identity.is_at(&path) => {}
                Ok(lock) => return Ok(Self { identity, _directory: lock, is_told: false }),
                Err((_, Errno::EWOULDBLOCK)) => return Err(taken(&options.instance, &identity)),
                Err((_, errno)) => return Err(failed(errno.into())),
            }
        }
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        let locked = self.locked.get_mut().unwrap_or_else(PoisonError::into_inner);
        // After `Datapath::remove`, the directory may be that of the next agent.
        if locked.identity.is_at(&lock_directory(&self.options.pin_root, &self.options.instance)) {
            forget(&self.options);
        }
    }
}

/// Opens the directory, making it if need be.
fn open(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fault::before("making the directory of the locks")?;
        fs::create_dir_all(parent)?;
    }
    fault::before("making the instance's lock")?;
    match DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => File::open(path),
    }
}

/// Removes the directory of an instance that has no pins, and those above it that are empty then.
///
/// The caller holds the lock, which is void for others from then on.
pub(super) fn forget(options: &Options) {
    let has_pins =
        |version: fs::DirEntry| version.path().join(pin_name(&options.instance)).exists();
    let path = lock_directory(&options.pin_root, &options.instance);
    let locks = path.parent();
    let versions = fs::read_dir(&options.pin_root).into_iter().flatten().flatten();
    if versions.filter(|version| Some(version.path().as_path()) != locks).any(has_pins) {
        return;
    }
    for directory in path.ancestors().take(3) {
        // Other instances keep theirs; one that remains does no harm.
        if fs::remove_dir(directory).is_err() {
            break;
        }
        fault::after("removing the lock");
    }
}

/// What tells a directory from another at the same path.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| Self::of(&metadata) == *self)
    }

    /// Who has locked it; `None` if that is a process of a container that cannot be seen from here.
    fn holder(&self, locks: &str) -> Option<u32> {
        let (major, minor) = (major(self.device), minor(self.device));
        let place = format!("{major:02x}:{minor:02x}:{}", self.inode);
        // As in `1: FLOCK ADVISORY WRITE 4711 00:27:1156704 0 EOF`.
        let words = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        words
            .filter(|words| words.get(5) == Some(&place.as_str()))
            .find_map(|words| words.get(4)?.parse().ok().filter(|&process| process != 0))
    }
}

fn taken(instance: &str, identity: &Identity) -> Error {
    let locks = fs::read_to_string(LOCKS).unwrap_or_default();
    let holder = match identity.holder(&locks) {
        Some(process) => format!("process {process}"),
        None => "a process of another container".to_owned(),
    };
    Error::failed(format_args!("{holder} works on instance {instance} already"))
        .hint("stop that agent first, or give this one another name with --instance NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 4 fe:00:1156704 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 5840 00:27:1156704 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 6 00:27:1156704 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 00:28:7 0 EOF\n";
        let holder = |device, inode| Identity { device, inode }.holder(locks);
        assert_eq!(holder(0x27, 1_156_704), Some(5840));
        assert_eq!(holder(0x27, 1_156_705), None);
        assert_eq!(holder(0x28, 7), None);
    }
}
