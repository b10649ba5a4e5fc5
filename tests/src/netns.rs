//! Network namespaces that vanish with their handle.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use nix::sched::{CloneFlags, setns};

use crate::{command, leftovers, restrict};

/// A named network namespace; removed, with every link in it, when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace whose unique name ends in `label`. The first one of a process also removes
    /// what processes that are gone have left behind.
    pub fn new(label: &str) -> Result<Self> {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(leftovers::sweep);
        let name = format!("{}-{label}", unique_name());
        command::ip(&format!("netns add {name}"))?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// The name that `ip netns` and `throttle-agent run --netns` know it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the lines of `script` as `ip` commands inside the namespace.
    pub fn ip(&self, script: &str) -> Result<()> {
        command::ip_batch(&self.name, script)
    }

    /// Runs `tc` with `arguments` separated by white space inside the namespace; returns what it prints.
    pub fn tc(&self, arguments: &str) -> Result<String> {
        command::run(self.command("tc")?.args(arguments.split_whitespace()))
    }

    /// Runs `closure` on a thread inside the namespace. Sockets and `/proc/thread-self/net` files made
    /// there stay in it; a panic goes on in the caller.
    pub fn run<R: Send>(&self, closure: impl FnOnce() -> R + Send) -> Result<R> {
        let inside = || {
            self.enter()?;
            Ok(closure())
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// A command that runs inside the namespace and ends with the thread that starts it.
    pub fn command(&self, program: &str) -> Result<Command> {
        let file = self.open()?;
        let mut command = Command::new(program);
        // SAFETY: the closure runs between fork and exec and makes one setns(2) call, which is
        // async-signal-safe, with a descriptor that it owns.
        unsafe { command.pre_exec(move || Ok(setns(&file, CloneFlags::CLONE_NEWNET)?)) };
        restrict::dies_with_this_thread(&mut command);
        Ok(command)
    }

    /// Writes `value` to the namespaced kernel setting `net/<key>`.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = PathBuf::from("/proc/sys/net").join(key);
        self.run(|| std::fs::write(&path, value))?
            .with_context(|| format!("writing {value} to {}", path.display()))
    }

    fn enter(&self) -> Result<()> {
        let file = self.open()?;
        setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("entering {}", self.name))
    }

    fn open(&self) -> Result<File> {
        let path = PathBuf::from(leftovers::NETNS_DIRECTORY).join(&self.name);
        File::open(&path).with_context(|| format!("opening {}", path.display()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = command::ip(&format!("netns del {}", self.name)) {
            eprintln!("cannot remove namespace {}: {error:#}", self.name);
        }
    }
}

/// A name no other process, and no other call of this one, uses: `thr<pid>-<n>`.
pub fn unique_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{}{}-{count}", leftovers::PREFIX, process::id())
}

#[cfg(test)]
mod tests {
    use super::Namespace;
    use crate::require_root;

    #[test]
    fn a_namespace_has_its_own_interfaces_and_is_removed() {
        require_root!();
        let namespace = Namespace::new("self").unwrap();
        let path = std::path::Path::new("/run/netns").join(namespace.name());
        let read = || std::fs::read_to_string("/proc/thread-self/net/dev");
        let interfaces = namespace.run(read).unwrap().unwrap();
        assert_eq!(interfaces.lines().filter(|line| line.contains(':')).count(), 1, "{interfaces}");
        assert!(path.exists());
        drop(namespace);
        assert!(!path.exists());
    }
}
