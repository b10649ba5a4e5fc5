//! What is pinned, held by descriptors as well: whoever removes a pin under a running agent takes nothing out of
//! force, and the agent pins it again.

use std::{
    collections::BTreeMap,
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
    pins: BTreeMap<String, OwnedFd>,
    /// Whether it has been told that pins cannot be made again.
    is_told: bool,
}

impl Held {
    /// Holds what is pinned at `path`.
    pub(super) fn hold(&self, name: &str, path: &Path) -> io::Result<()> {
        let pin = bpf::open_pin(path)?;
        self.state().pins.insert(name.to_owned(), pin);
        Ok(())
    }

    /// Lets go of what is to be gone.
    pub(super) fn forget(&self, name: &str) {
        self.state().pins.remove(name);
    }

    /// What has the pin of this name, wherever that is.
    pub(super) fn get(&self, name: &str) -> Option<OwnedFd> {
        self.state().pins.get(name)?.try_clone().ok()
    }

    /// Pins in `directory` again what is missing there, and tells so; a failure is told once.
    pub(super) fn restore(&self, directory: &Path) {
        let mut state = self.state();
        let missing = |name: &&String| !directory.join(name.as_str()).exists();
        let missing: Vec<_> = state.pins.keys().filter(missing).cloned().collect();
        let Some(first) = missing.first() else {
            state.is_told = false;
            return;
        };
        let (shown, count) = (directory.display(), missing.len());
        let pinned = fs::create_dir_all(directory).and_then(|()| {
            missing.iter().try_for_each(|name| {
                let Some(pin) = state.pins.get(name) else { return Ok(()) };
                bpf::pin(pin.as_fd(), &directory.join(name))
            })
        });
        match pinned {
            Ok(()) => tracing::warn!(
                "others removed {first} and in all {count} pins from {shown}: pinned again, limits stayed in force"
            ),
            Err(error) if !state.is_told => {
                state.is_told = true;
                tracing::error!(
                    "{first} and in all {count} pins are gone from {shown}, and cannot be made again: {error}; \
                     limits stay in force only while this agent runs; hint: mount the BPF file system there, \
                     writable: mount -t bpf bpf /sys/fs/bpf"
                );
            }
            Err(_) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
