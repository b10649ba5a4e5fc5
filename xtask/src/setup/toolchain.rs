//! Rust toolchains and their components, through rustup.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::ebpf::TOOLCHAIN;
use crate::{exec, workspace};

/// Installs the nightly toolchain unless there is one, of whatever date.
pub(super) fn nightly() -> Result<String> {
    if !exec::succeeds(workspace::nightly("rustc").arg("-vV")) {
        eprintln!("setup: installing the {TOOLCHAIN} toolchain (compiles the eBPF program)");
        rustup(&["toolchain", "install", TOOLCHAIN, "--profile", "minimal"])?;
    }
    Ok(TOOLCHAIN.to_owned())
}

/// Adds the source of `core`, which has no compiled form for BPF, unless it is there.
pub(super) fn rust_src() -> Result<String> {
    let mut rustc = workspace::nightly("rustc");
    let sysroot = exec::output(rustc.args(["--print", "sysroot"]), "asking for the sysroot")?;
    if !Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir() {
        eprintln!("setup: adding rust-src to {TOOLCHAIN} (core is compiled for BPF from source)");
        rustup(&["component", "add", "rust-src", "--toolchain", TOOLCHAIN])?;
    }
    Ok("rust-src".to_owned())
}

/// Adds the standard library of another target to the host's toolchain unless it is there.
pub(super) fn target(target: &str) -> Result<String> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(workspace::root()?).args(["--print", "target-libdir", "--target", target]);
    let library = exec::output(&mut rustc, "asking for the libraries of a target")?;
    if !Path::new(library.trim()).is_dir() {
        eprintln!("setup: adding {target} (a static agent is built for it)");
        rustup(&["target", "add", target])?;
    }
    Ok(target.to_owned())
}

/// Adds rustfmt and clippy to the host's toolchain, and clippy to nightly, unless they are there.
pub(super) fn linters() -> Result<String> {
    for component in ["fmt", "clippy"] {
        if !exec::succeeds(workspace::cargo()?.args([component, "--version"])) {
            eprintln!("setup: adding rustfmt and clippy");
            rustup(&["component", "add", "rustfmt", "clippy"])?;
        }
    }
    if !exec::succeeds(workspace::nightly("cargo").args(["clippy", "--version"])) {
        eprintln!("setup: adding clippy to {TOOLCHAIN} (lints the eBPF program)");
        rustup(&["component", "add", "clippy", "--toolchain", TOOLCHAIN])?;
    }
    Ok("rustfmt, clippy".to_owned())
}

fn rustup(arguments: &[&str]) -> Result<()> {
    exec::run(Command::new("rustup").args(arguments), "installing a toolchain or component")
}
