//! `cargo xtask package`: Debian's package, and an archive for everyone else.

mod binary;
mod check;
mod deb;
mod parts;
mod stage;
mod tarball;

use std::env::consts::ARCH;
use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::{setup, workspace};
use parts::Parts;

pub(crate) use binary::TARGET;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Makes both below `target/package/`; `checks` installs, runs and purges Debian's package as well.
pub(crate) fn run(checks: bool) -> Result<()> {
    ensure!(ARCH == "x86_64", "packages are for x86_64, this machine is {ARCH}");
    setup::run(if checks { setup::For::PackageCheck } else { setup::For::Package })?;
    let directory = workspace::root()?.join("target/package");
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let parts = Parts::new(binary::build()?)?;
    let package = deb::build(&parts, &directory, VERSION)?;
    let archive = tarball::build(&parts, &directory, VERSION)?;
    println!("{}\n{}", package.display(), archive.display());
    if checks { check::run(&parts, &directory, &package, &archive) } else { Ok(()) }
}
