//! How the eBPF crate is compiled.
//!
//! `throttle-agent/build.rs` includes this file as well, so that what is linted is what is built; it uses nothing
//! but `std`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The toolchain of the eBPF crate: `build-std` and the BPF atomics are nightly features.
pub(crate) const TOOLCHAIN: &str = "nightly";

/// The crate, its binary and the name of the object file.
pub(crate) const PACKAGE: &str = "throttle-ebpf";

/// Little endian, as every machine that the agent is built for.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The linker's file name.
pub(crate) const LINKER: &str = "bpf-linker";

/// Environment of an outer cargo or rustc that would change how the eBPF crate is compiled.
const FOREIGN_ENVIRONMENT: [&str; 10] = [
    "CARGO_BUILD_",
    "CARGO_CFG_",
    "CARGO_ENCODED_",
    "CARGO_FEATURE_",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "RUSTC",
    "RUSTFLAGS",
];

/// Where set-up installs build tools: one place per checkout, whatever `CARGO_TARGET_DIR` says.
pub(crate) fn tools_dir(workspace: &Path) -> PathBuf {
    workspace.join("target/tools")
}

/// Cargo's target directory for all but the eBPF crate.
pub(crate) fn outer_target_dir(workspace: &Path) -> PathBuf {
    workspace.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("target")))
}

/// Cargo's target directory for the eBPF crate. It is not the outer cargo's, whose lock is held while a build
/// script runs; all host profiles share it.
pub(crate) fn target_dir(workspace: &Path) -> PathBuf {
    outer_target_dir(workspace).join("ebpf")
}

/// Finds bpf-linker among the installed tools, then on `PATH`.
pub(crate) fn find_linker(workspace: &Path) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools_dir(workspace).join("bin"))
        .chain(env::split_paths(&path))
        .map(|dir| dir.join(LINKER))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            let tools = tools_dir(workspace).join("bin");
            format!(
                "{LINKER} is neither in {} nor on PATH; hint: run `cargo xtask setup`",
                tools.display()
            )
        })
}

/// `cargo SUBCOMMAND` for the eBPF crate as loaded on a host of architecture `arch` (as in `target_arch`), free
/// of an outer cargo's settings.
pub(crate) fn cargo(workspace: &Path, subcommand: &str, linker: &Path, arch: &str) -> Command {
    let mut command = Command::new("rustup");
    for (key, _) in env::vars_os() {
        let foreign = key
            .to_str()
            .is_some_and(|key| FOREIGN_ENVIRONMENT.iter().any(|prefix| key.starts_with(prefix)));
        if foreign {
            command.env_remove(key);
        }
    }
    command
        .current_dir(workspace)
        .args(["run", TOOLCHAIN, "cargo", subcommand, "--locked", "--release"])
        .args(["--package", PACKAGE, "--bin", PACKAGE])
        .args(["--target", TARGET, "-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(target_dir(workspace))
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(linker, arch));
    command
}

/// `target-cpu=v3` brings compare-and-swap and 32-bit jumps; debug information becomes BTF. Addresses in packets
/// are not aligned to their size: without `allows-misaligned-mem-access` they are read byte by byte.
fn rust_flags(linker: &Path, arch: &str) -> OsString {
    let mut flags = OsString::from("-Clinker=");
    flags.push(linker);
    for flag in [
        "-Ctarget-cpu=v3",
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
        "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
    ] {
        flags.push("\x1f");
        flags.push(flag);
    }
    flags.push(format!("\x1f--cfg=bpf_target_arch=\"{arch}\""));
    flags
}
