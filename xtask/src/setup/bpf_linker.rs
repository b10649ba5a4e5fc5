//! bpf-linker, in the version that fits the LLVM of the compiler whose bitcode it links.

use anyhow::{Context as _, Result};

use super::install;
use crate::{ebpf, exec, workspace};

/// A range of bpf-linker versions for one major version of LLVM.
struct Release {
    llvm: u32,
    series: &'static str,
    /// As `cargo install --version` takes it.
    requirement: &'static str,
    hint: &'static str,
}

/// 0.10.4 loads the LLVM that comes with rustc; later versions link one of the system.
const RELEASES: [Release; 2] = [
    Release { llvm: 22, series: "0.10.4", requirement: "0.10.4", hint: "" },
    Release {
        llvm: 23,
        series: "0.13",
        requirement: "^0.13",
        hint: "; hint: it needs the development files of LLVM 23 (Debian: llvm-23-dev)",
    },
];

/// Installs the bpf-linker that fits nightly's LLVM unless it is there.
pub(super) fn prepare() -> Result<String> {
    let words = exec::output(workspace::nightly("rustc").arg("-vV"), "asking rustc for its LLVM")?;
    let llvm = llvm_major(&words)?;
    let release = release_for(llvm)?;
    let installed = install::installed_version(ebpf::LINKER)?;
    match installed {
        Some(version) if install::is_in_series(&version, release.series) => {
            return Ok(format!("{} {version} for LLVM {llvm}", ebpf::LINKER));
        }
        Some(version) => eprintln!("setup: {} {version} does not fit LLVM {llvm}", ebpf::LINKER),
        None => {}
    }
    let Release { series, requirement, hint, .. } = release;
    let name = ebpf::LINKER;
    eprintln!(
        "setup: installing {name} {series} (links the eBPF program; nightly has LLVM {llvm})"
    );
    install::install(name, requirement)
        .with_context(|| format!("cannot link the eBPF program without {name} {series}{hint}"))?;
    Ok(format!("{name} {series} for LLVM {llvm}"))
}

fn release_for(llvm: u32) -> Result<&'static Release> {
    let known = RELEASES.iter().map(|release| release.llvm.to_string()).collect::<Vec<_>>();
    RELEASES.iter().find(|release| release.llvm == llvm).with_context(|| {
        format!(
            "no {} is known for LLVM {llvm} of the {} toolchain; accepted: LLVM {}",
            ebpf::LINKER,
            ebpf::TOOLCHAIN,
            known.join(" or ")
        )
    })
}

/// Reads the major version from the output of `rustc -vV`.
fn llvm_major(verbose_version: &str) -> Result<u32> {
    let version = verbose_version.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    version.and_then(|version| version.split('.').next()?.trim().parse().ok()).with_context(|| {
        format!("no line `LLVM version: N.N.N` from rustc -vV:\n{verbose_version}")
    })
}

#[cfg(test)]
mod tests {
    use super::{llvm_major, release_for};

    const VERBOSE_VERSION: &str = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\n\
        host: x86_64-unknown-linux-gnu\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4\n";

    #[test]
    fn llvm_is_read_from_the_verbose_version() {
        assert_eq!(llvm_major(VERBOSE_VERSION).unwrap(), 22);
        assert_eq!(llvm_major("LLVM version: 23.0.0-rc1").unwrap(), 23);
    }

    #[test]
    fn a_version_without_llvm_is_an_error_that_shows_it() {
        for text in ["rustc 1.97.0\n", "LLVM version: new\n"] {
            let error = llvm_major(text).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn each_llvm_has_its_linker() {
        assert_eq!(release_for(22).unwrap().requirement, "0.10.4");
        assert_eq!(release_for(23).unwrap().requirement, "^0.13");
    }

    #[test]
    fn an_unknown_llvm_is_refused_with_what_is_accepted() {
        for llvm in [21, 24] {
            let error = release_for(llvm).map(|release| release.series).unwrap_err().to_string();
            assert!(error.contains(&format!("LLVM {llvm}")), "{error}");
            assert!(error.ends_with("accepted: LLVM 22 or 23"), "{error}");
        }
    }
}
