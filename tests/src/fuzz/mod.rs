//! What holds of any bytes at all: one function per fuzz target, which panics where it does not.
//!
//! `tests/fuzz` has the targets and what was found; `fuzz_corpora` among the suites runs that through the same
//! functions, without a fuzzer.

mod config;
mod journal;
mod layouts;
mod packet;
mod requests;
mod units;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

/// A fuzz target: its name, which is that of its folders, and what it checks.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Panics unless what is promised holds of these bytes.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 6] = [
    Target { name: "config", check: config::check },
    Target { name: "journal", check: journal::check },
    Target { name: "layouts", check: layouts::check },
    Target { name: "packet", check: packet::check },
    Target { name: "requests", check: requests::check },
    Target { name: "units", check: units::check },
];

/// Runs the check of a target.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").check)(bytes);
}

/// The files of a target: those that the fuzzer begins with, and those that once broke something.
pub fn files(target: &str) -> Result<Vec<PathBuf>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut files = Vec::new();
    for kind in ["seeds", "regressions"] {
        let folder = root.join(kind).join(target);
        let entries = match folder.read_dir() {
            Err(_) if kind == "regressions" => continue,
            entries => entries.with_context(|| format!("reading {}", folder.display()))?,
        };
        for entry in entries {
            files.push(entry?.path());
        }
    }
    ensure!(!files.is_empty(), "{} has no seeds for {target}", root.display());
    files.sort();
    Ok(files)
}

/// Takes bytes off the front, zeros where there are no more.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, tail) = self.0.split_at(N.min(self.0.len()));
        self.0 = tail;
        let mut taken = [0; N];
        taken[..head.len()].copy_from_slice(head);
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    pub(crate) fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(crate) fn long(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
}
