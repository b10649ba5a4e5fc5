//! `cargo xtask package --check`: the packages do what they promise.

mod boot;
mod elf;
mod root;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::parts::Parts;
use super::{VERSION, deb, stage::Stage, tarball};
use crate::{exec, test, workspace};
use root::Root;

/// Checks both packages in `directory`; the first promise that does not hold is the error.
pub(super) fn run(parts: &Parts, directory: &Path, package: &Path, archive: &Path) -> Result<()> {
    exec::require_root("package --check")?;
    let step = |name: &str, check: &dyn Fn() -> Result<()>| {
        let start = Instant::now();
        check().with_context(|| format!("package: {name}"))?;
        eprintln!("package: {name}: ok in {:.1} s", start.elapsed().as_secs_f64());
        Ok::<_, anyhow::Error>(())
    };
    step("the binary needs no other file", &|| elf::check_is_static(&parts.binary))?;
    step("the static agent limits real traffic", &|| limits_traffic(&parts.binary))?;
    step("the same sources make the same packages", &|| {
        is_reproducible(parts, directory, [package, archive])
    })?;
    step("it can be installed and purged without systemd", &|| {
        installs_and_purges(&Root::new(directory, "without-systemd")?, package)
    })?;
    step("it can be installed, used, upgraded and purged under systemd", &|| {
        boot::check(&Root::new(directory, "with-systemd")?, package)
    })
}

/// Test of the suites that the static binary has to pass too.
const TRAFFIC: &str = "hosts_on_two_links_are_limited_at_once";

fn limits_traffic(binary: &Path) -> Result<()> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["test", "--quiet", "--release", "-p", "throttle-tests", "--test", "suites", "--"]);
    cargo.arg(TRAFFIC).env("THROTTLE_AGENT", binary).env(test::MUST_RUN, "1");
    let said = exec::output(&mut cargo, "running a suite with the static agent")?;
    ensure!(said.contains("1 passed"), "there is no test {TRAFFIC}:\n{said}");
    Ok(())
}

fn is_reproducible(parts: &Parts, directory: &Path, made: [&Path; 2]) -> Result<()> {
    let again = Stage::new(directory.join("again"))?;
    let remade =
        [deb::build(parts, again.path(), VERSION)?, tarball::build(parts, again.path(), VERSION)?];
    for (first, second) in made.into_iter().zip(&remade) {
        ensure!(fs::read(first)? == fs::read(second)?, "{} comes out differently", first.display());
    }
    fs::remove_dir_all(again.path()).context("removing what was made again")
}

/// In a Debian that nobody has booted, as installers and builders of images have it; with no interface of this machine.
fn installs_and_purges(root: &Root, package: &Path) -> Result<()> {
    let before = files(root.path())?;
    fs::copy(package, root.path().join("package.deb")).context("copying the package")?;
    let inside = |words: &str| {
        let mut command = Command::new("unshare");
        command.args(["--net", "chroot"]).arg(root.path()).args(words.split_whitespace());
        exec::output(command.env("LC_ALL", "C"), "working in a Debian")
    };
    inside("dpkg --install /package.deb")?;
    inside("dpkg --verify throttle-agent")?;
    let version = inside("throttle-agent --version")?;
    ensure!(version.trim().ends_with(VERSION), "throttle-agent --version says {version:?}");
    inside("throttle-agent detach --all")?;
    inside("dpkg --purge throttle-agent")?;
    inside("rm /package.deb")?;
    let after = files(root.path())?;
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    ensure!(
        changed.is_empty(),
        "installing and purging leaves {changed:?} behind, or takes it away"
    );
    Ok(())
}

/// All files but those that dpkg and groupadd keep for themselves.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut find = Command::new("find");
    find.arg(root).args(["-xdev", "-printf", "%P\\n"]);
    let found = exec::output(&mut find, "listing the files of a Debian")?;
    let own = |path: &&str| {
        ["var/lib/dpkg/", "etc/group-", "etc/gshadow-", "etc/.pwd.lock", "var/cache/ldconfig/"]
            .iter()
            .any(|own| path.starts_with(own))
    };
    Ok(found.lines().filter(|path| !own(path)).map(PathBuf::from).collect())
}
