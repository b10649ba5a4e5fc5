//! `cargo xtask setup`: installs what is missing and says what and why. Doing it again changes
//! nothing.

mod bpf_linker;
mod cargo_tools;
mod install;
mod packages;
mod schemathesis;
mod toolchain;

use anyhow::Result;

pub(crate) use cargo_tools::{DENY, FUZZ};

/// What the machine is being prepared for; each includes `Build`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Compiling the agent and the eBPF program.
    Build,
    /// Running tests, the demo and benchmarks.
    Tests,
    /// Running tests in virtual machines.
    VirtualMachines,
    /// Making packages.
    Package,
    /// Installing packages in containers.
    PackageCheck,
    /// Running the linters.
    Lint,
    /// Running fuzz targets.
    Fuzz,
}

/// Prepares the machine; prints one line if there is nothing to do.
pub(crate) fn run(purpose: For) -> Result<()> {
    let mut present = vec![toolchain::nightly()?, toolchain::rust_src()?, bpf_linker::prepare()?];
    match purpose {
        For::Build => {}
        For::Tests => {
            present.push(packages::prepare(&[packages::TESTS])?);
            present.push(schemathesis::prepare()?);
        }
        For::VirtualMachines => {
            present.push(packages::prepare(&[packages::TESTS, packages::VIRTUAL_MACHINES])?);
        }
        For::Package | For::PackageCheck => {
            present.push(toolchain::target(crate::package::TARGET)?);
            let mut lists = vec![packages::PACKAGE];
            if purpose == For::PackageCheck {
                lists.extend([packages::TESTS, packages::PACKAGE_CHECK]);
            }
            present.push(packages::prepare(&lists)?);
        }
        For::Lint => {
            present.push(toolchain::linters()?);
            present.push(DENY.prepare()?);
        }
        For::Fuzz => {
            present.push(packages::prepare(&[packages::FUZZ])?);
            present.push(FUZZ.prepare()?);
        }
    }
    eprintln!("setup: ready: {}", present.join(", "));
    Ok(())
}
