//! What is pinned, held by descriptors as well: whoever removes a pin under a running agent takes nothing out of
//! force, and the agent pins it again. What cannot be pinned at the moment is held in the same manner.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::bpf;

/// Descriptors by the names of their pins; clones share them.
///
/// They are two for each of 256 links and one for each map. With 40 others, 128 of clients of the socket and 32 of
/// those of metrics, that is three quarters of the 1,024 that a process may have where nobody says otherwise.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, OwnedFd>,
    /// Names of pins that could not be removed: they stand for nothing.
    stale: BTreeSet<String>,
    /// Whether pins may be missing for a while: what is in force then is so by the descriptors.
    may_lack_pins: bool,
    /// Whether it has been told that pins cannot be made.
    is_told: bool,
}

impl Held {
    /// Holds what is pinned at `path`.
    pub(super) fn hold(&self, name: &str, path: &Path) -> io::Result<()> {
        self.insert(name, bpf::open_pin(path)?);
        Ok(())
    }

    /// Holds what is to be pinned under this name.
    pub(super) fn insert(&self, name: &str, object: OwnedFd) {
        self.state().objects.insert(name.to_owned(), object);
    }

    /// Lets go of what is to be gone.
    pub(super) fn forget(&self, name: &str) {
        self.state().objects.remove(name);
    }

    /// Pins may be missing from now on.
    pub(super) fn allow_missing(&self) {
        self.state().may_lack_pins = true;
    }

    /// Whether pins may be missing.
    pub(super) fn may_lack_pins(&self) -> bool {
        self.state().may_lack_pins
    }

    /// Removes a pin that could not be removed, as soon as that is possible.
    pub(super) fn remove_later(&self, name: &str) {
        self.state().stale.insert(name.to_owned());
    }

    /// Whether the pin of this name stands for nothing.
    pub(super) fn is_stale(&self, name: &str) -> bool {
        self.state().stale.contains(name)
    }

    /// What is held under this name, pinned or not.
    pub(super) fn get(&self, name: &str) -> Option<OwnedFd> {
        self.state().objects.get(name)?.try_clone().ok()
    }

    /// Removes from `directory` what should be gone, pins again what is missing there, and tells so; a failure
    /// is told once. `false` while anything is missing.
    pub(super) fn restore(&self, directory: &Path) -> bool {
        let mut state = self.state();
        state.stale.retain(|name| is_refused(&fs::remove_file(directory.join(name))));
        let missing = |name: &&String| {
            state.stale.contains(name.as_str()) || !directory.join(name.as_str()).exists()
        };
        let missing: Vec<_> = state.objects.keys().filter(missing).cloned().collect();
        let Some(first) = missing.first() else {
            state.is_told = false;
            return true;
        };
        let (shown, count) = (directory.display(), missing.len());
        let pinned = fs::create_dir_all(directory).and_then(|()| {
            missing.iter().try_for_each(|name| {
                let Some(object) = state.objects.get(name) else { return Ok(()) };
                bpf::pin(object.as_fd(), &directory.join(name))
            })
        });
        match &pinned {
            Ok(()) => tracing::warn!(
                "{first} and in all {count} pins were missing from {shown}: pinned again, limits stayed in force"
            ),
            Err(error) if !state.is_told => {
                state.is_told = true;
                tracing::error!(
                    "{first} and in all {count} pins are missing from {shown}, and cannot be made: {error}; limits \
                     stay in force while this agent runs, and only those through clsact after it; hint: mount the \
                     BPF file system there, writable: mount -t bpf bpf /sys/fs/bpf"
                );
            }
            Err(_) => {}
        }
        pinned.is_ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_refused(removed: &io::Result<()>) -> bool {
    removed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
}
