//! Names of instances, and where an instance keeps what outlives a process.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::error::{Error, Result};

/// Directory of the control sockets.
pub const RUN_DIR: &str = "/run/throttle";

/// Directory above all pins, on the BPF file system.
pub const PIN_ROOT: &str = "/sys/fs/bpf/throttle";

/// Directory above the saved changes of all instances.
pub const STATE_DIR: &str = "/var/lib/throttle";

/// Directory below `root` of an instance's pins whose layout is of this version.
pub(crate) fn pin_directory(root: &Path, version: u32, instance: &str) -> PathBuf {
    root.join(version.to_string()).join(pin_name(instance))
}

/// Whether an instance has pins below `root`, whatever the version of their layout.
pub(crate) fn has_pins(root: &Path, instance: &str) -> bool {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut versions = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    versions.any(|version| pin_directory(root, version, instance).exists())
}

/// Directory below `root` that is locked while a process works on the instance.
pub(crate) fn lock_directory(root: &Path, instance: &str) -> PathBuf {
    root.join("locks").join(pin_name(instance))
}

/// The name of an instance as the BPF file system takes it: it has no dots.
pub(crate) fn pin_name(instance: &str) -> String {
    instance.replace('.', "+")
}

/// Longest name; keeps the socket's path within the kernel's 108 bytes.
const MAX_NAME_BYTES: usize = 64;

/// The name of an instance: one policy over the links of one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance(String);

impl Instance {
    /// Name of the instance that is meant when none is named.
    pub const DEFAULT: &str = "default";

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Path of the control socket below `run_dir`.
    #[must_use]
    pub fn socket(&self, run_dir: &Path) -> PathBuf {
        run_dir.join(format!("{}.sock", self.0))
    }

    /// What to type in front of a command's options to mean this instance.
    pub(crate) fn option(&self) -> String {
        if self.0 == Self::DEFAULT { String::new() } else { format!(" --instance {self}") }
    }
}

impl FromStr for Instance {
    type Err = InstanceError;

    fn from_str(name: &str) -> Result<Self, InstanceError> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let sound = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && !name.starts_with(['.', '-'])
            && name.bytes().all(is_plain);
        if sound { Ok(Self(name.to_owned())) } else { Err(InstanceError(name.to_owned())) }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot name an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceError(String);

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instance {:?} is no name: use up to {MAX_NAME_BYTES} of a-z A-Z 0-9 - _ . \
             and begin with a letter, a digit or _",
            self.0
        )
    }
}

impl std::error::Error for InstanceError {}

impl From<InstanceError> for Error {
    fn from(error: InstanceError) -> Self {
        Self::usage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths() {
        for name in ["default", "a", "wan-1", "x.y_z", &"a".repeat(64)] {
            assert!(name.parse::<Instance>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "-x", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(name.parse::<Instance>().is_err(), "{name}");
        }
    }

    #[test]
    fn each_instance_has_pins_of_its_own_and_no_dots_in_their_path() {
        let pins = |name| pin_directory(Path::new(PIN_ROOT), throttle_common::abi::VERSION, name);
        assert_ne!(pins("a.b"), pins("a-b"));
        assert!("a+b".parse::<Instance>().is_err());
        assert!(!pins("a.b").to_str().unwrap().contains('.'));
    }

    #[test]
    fn the_socket_is_named_after_the_instance() {
        let instance: Instance = "wan".parse().unwrap();
        assert_eq!(instance.socket(Path::new(RUN_DIR)), Path::new("/run/throttle/wan.sock"));
    }
}
