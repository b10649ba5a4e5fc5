//! Removes what a killed test process could not remove itself: its namespaces and agent instances.

use std::fs;
use std::path::{Path, PathBuf};

use throttle_agent::instance::{PIN_ROOT, RUN_DIR};

use crate::foreign::BPFFS;
use crate::{command, tmux};

/// Start of every name this package gives to a namespace or an agent instance: `thr<pid>-<n>`, and what follows.
pub const PREFIX: &str = "thr";
/// Where `ip netns` keeps its names.
pub const NETNS_DIRECTORY: &str = "/run/netns";

/// Removes the namespaces and agent instances of test processes that are gone.
pub fn sweep() {
    for name in names(Path::new(NETNS_DIRECTORY)).filter(|name| is_orphan(name)) {
        eprintln!("removing leftover namespace {name}");
        if let Err(error) = command::ip(&format!("netns del {name}")) {
            eprintln!("{error:#}");
        }
    }
    let own = [std::env::temp_dir(), PathBuf::from(BPFFS)].into_iter().flat_map(|directory| {
        let orphans = names(&directory).filter(|name| is_orphan(name));
        orphans.map(|name| directory.join(name)).collect::<Vec<_>>()
    });
    for path in paths_where(is_orphan).into_iter().chain(own) {
        eprintln!("removing leftover {}", path.display());
        if path.extension().is_some_and(|ending| ending == tmux::ENDING) {
            tmux::end(&path);
        } else {
            remove(&path);
        }
        remove_empty_parents(&path);
    }
}

/// Every pin directory and socket that belongs to the agent instance.
pub fn of_instance(instance: &str) -> Vec<PathBuf> {
    paths_where(|name| {
        name.strip_prefix(instance).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Removes one file, or one directory with all it holds.
pub fn remove(path: &Path) {
    let result = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = result {
        eprintln!("cannot remove {}: {error}", path.display());
    }
}

/// The agent removes the directories above its pins and its socket when they are empty; so does this.
fn remove_empty_parents(path: &Path) {
    let within = |parent: &&Path| parent.starts_with(PIN_ROOT) || parent.starts_with(RUN_DIR);
    for parent in path.ancestors().skip(1).take_while(within) {
        if fs::remove_dir(parent).is_err() {
            break;
        }
    }
}

fn paths_where(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let versions = names(Path::new(PIN_ROOT)).map(|version| Path::new(PIN_ROOT).join(version));
    versions
        .chain([PathBuf::from(RUN_DIR)])
        .flat_map(|directory| {
            let within = names(&directory).filter(|name| wanted(name));
            within.map(|name| directory.join(name)).collect::<Vec<_>>()
        })
        .collect()
}

fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// Whether it is a name of ours, of a process that is gone. Users may have names that begin like ours.
fn is_orphan(name: &str) -> bool {
    process(name).is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists())
}

/// The process that gave a name: `thr<pid>-<n>`, alone or before `-` or `.`.
fn process(name: &str) -> Option<u32> {
    let (process, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let count = rest.split(['-', '.']).next()?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(process) && is_number(count) { process.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::is_orphan;

    #[test]
    fn only_names_of_dead_processes_are_orphans() {
        for own in ["thr4294967295-0", "thr4294967295-12-router", "thr4294967295-0.state"] {
            assert!(is_orphan(own), "{own}");
        }
        assert!(!is_orphan(&format!("thr{}-0-router", std::process::id())));
        for foreign in
            ["thr", "three-1", "thr12x-1", "thr4294967295", "thr4294967295-lab", "default"]
        {
            assert!(!is_orphan(foreign), "{foreign}");
        }
    }
}
