//! Compiles the eBPF program and leaves its object at `$OUT_DIR/throttle-ebpf`, for the agent to embed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

#[path = "../xtask/src/ebpf.rs"]
mod ebpf;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace =
        manifest_dir.parent().ok_or_else(|| format!("{} has no parent", manifest_dir.display()))?;
    let object = Path::new(&variable("OUT_DIR")?).join(ebpf::PACKAGE);

    let endian = variable("CARGO_CFG_TARGET_ENDIAN")?;
    if endian != "little" {
        return Err(format!(
            "cannot build for a {endian}-endian target: only little-endian ones are supported"
        ));
    }
    let linker = ebpf::find_linker(workspace)?;
    watch(workspace, &linker);
    run(ebpf::cargo(workspace, "build", &linker, &variable("CARGO_CFG_TARGET_ARCH")?))?;

    let built = ebpf::target_dir(workspace).join(ebpf::TARGET).join("release").join(ebpf::PACKAGE);
    fs::copy(&built, &object).map_err(|error| {
        format!("cannot copy {} to {}: {error}", built.display(), object.display())
    })?;
    Ok(())
}

/// Names everything that the object is made from.
fn watch(workspace: &Path, linker: &Path) {
    println!("cargo::rerun-if-changed={}", linker.display());
    for input in ["Cargo.toml", "Cargo.lock", "xtask/src/ebpf.rs"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    for package in [ebpf::PACKAGE, "throttle-common"] {
        for input in ["Cargo.toml", "src"] {
            println!("cargo::rerun-if-changed={}", workspace.join(package).join(input).display());
        }
    }
}

fn run(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cannot compile {}: {status}", ebpf::PACKAGE)),
        Err(error) => {
            Err(format!("cannot run rustup, which starts the {} cargo: {error}", ebpf::TOOLCHAIN))
        }
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name)
        .map_err(|error| format!("cannot read {name}, which cargo sets for build scripts: {error}"))
}
