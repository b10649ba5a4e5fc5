//! Debian's kernels for virtual machines, fetched when the archive has others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::apt::Archive;
use super::folder::Folder;
use crate::exec;

/// What the package names of the kernels end in. Those of the cloud flavour, made for virtual machines, are a third
/// as large but have no PPP.
const FLAVOUR: &str = "amd64";

/// An empty file beside a kernel, as old as the archive's last answer.
const ASKED: &str = "asked";

/// How long that answer holds.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// A kernel to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// Debian 12's: the oldest that is tested
    #[value(name = "6.1")]
    Linux6_1,
    /// Debian 12's backport of Debian 13's kernel
    #[value(name = "6.12")]
    Linux6_12,
    /// The newest release that Debian has
    Newest,
}

impl Kernel {
    /// As on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Linux6_1 => "6.1",
            Self::Linux6_12 => "6.12",
            Self::Newest => "newest",
        }
    }

    /// What it cannot pass; all else has to run.
    pub(super) fn lacks(self) -> &'static [Lack] {
        match self {
            Self::Linux6_1 => &[Lack {
                parts: &["with_tcx", "a_killed_agent_can_be_detached_from_outside"],
                reason: "TCX came with Linux 6.6",
            }],
            Self::Linux6_12 | Self::Newest => &[],
        }
    }

    /// Where it is, as apt writes a list of suites.
    fn suites(self) -> &'static str {
        match self {
            Self::Linux6_1 => "bookworm",
            Self::Linux6_12 => "bookworm-backports",
            Self::Newest => "trixie-backports sid",
        }
    }
}

/// A feature that a kernel does not have.
#[derive(Debug)]
pub(super) struct Lack {
    /// Parts of the names of the tests that need it.
    pub(super) parts: &'static [&'static str],
    /// Why it is missing.
    pub(super) reason: &'static str,
}

/// An unpacked kernel with its modules.
#[derive(Debug)]
pub(super) struct Files {
    /// As `uname -r` prints it.
    pub(super) release: String,
    /// What boots.
    pub(super) image: PathBuf,
    /// The folder of `kernel/` and `modules.dep`.
    pub(super) modules: PathBuf,
}

/// The files of `kernel`: those that the archive has, or had when it was last asked.
pub(super) fn fetch(folder: &Folder, kernel: Kernel) -> Result<Files> {
    let name = format!("{}-{FLAVOUR}", kernel.name());
    let dir = folder.path().join(&name);
    if !is_fresh(&dir) {
        let partial = folder.path().join(format!("{name}.partial"));
        remove_if_there(&partial)?;
        let outcome = renew(kernel, &dir, &partial);
        remove_if_there(&partial)?;
        match outcome.with_context(|| format!("fetching the kernel {}", kernel.name())) {
            Err(error) if dir.is_dir() => {
                eprintln!("vmtest: going on with what is in {}: {error:#}", dir.display());
            }
            outcome => outcome?,
        }
    }
    Files::find(&dir).with_context(|| {
        format!("looking for a kernel in {}; hint: remove that folder", dir.display())
    })
}

/// Whether the archive was asked lately for what is in `dir`.
fn is_fresh(dir: &Path) -> bool {
    let asked = fs::metadata(dir.join(ASKED)).and_then(|asked| asked.modified());
    asked.is_ok_and(|asked| asked.elapsed().is_ok_and(|age| age < FRESH))
}

/// Asks the archive for its kernel, and puts it into `dir` by way of `partial` unless it is there.
fn renew(kernel: Kernel, dir: &Path, partial: &Path) -> Result<()> {
    let (name, suites, apt) = (kernel.name(), kernel.suites(), partial.join("apt"));
    eprintln!("vmtest: asking Debian's {suites} for the kernel {name} (once a day)");
    let archive = Archive::open(&apt, suites)?;
    let wanted = archive.closure(&format!("linux-image-{FLAVOUR}"), FLAVOUR)?;
    let is_wanted = |files: Files| wanted.contains(&format!("linux-image-{}", files.release));
    if !Files::find(dir).is_ok_and(is_wanted) {
        eprintln!("vmtest: downloading {}", wanted.join(", "));
        download(&archive, &wanted, partial)?;
        remove_if_there(&apt)?;
        remove_if_there(dir)?;
        fs::rename(partial, dir).with_context(|| format!("making {}", dir.display()))?;
    }
    let asked = dir.join(ASKED);
    fs::write(&asked, "").with_context(|| format!("writing {}", asked.display()))
}

/// Unpacks `wanted` into `dir`.
fn download(archive: &Archive, wanted: &[String], dir: &Path) -> Result<()> {
    let packages = dir.join("packages");
    archive.download(wanted, &packages)?;
    for package in fs::read_dir(&packages)? {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("--extract").arg(package?.path()).arg(dir);
        exec::run(&mut dpkg, "unpacking a package")?;
    }
    let files = Files::find(dir)?;
    // The kernel takes compressed modules only if it was built to.
    let mut find = Command::new("find");
    find.arg(&files.modules).args(["-name", "*.ko.xz", "-exec", "xz", "--decompress", "{}", "+"]);
    exec::run(&mut find, "decompressing modules")?;
    let mut depmod = Command::new("busybox");
    depmod.arg("depmod").arg("-b").arg(files.base()?).arg(&files.release);
    exec::run(&mut depmod, "listing what modules depend on")?;
    remove_if_there(&packages)
}

impl Files {
    /// Older packages are laid out for `/lib` and `/boot`, newer ones keep all of a kernel in one folder.
    fn find(dir: &Path) -> Result<Self> {
        let bases = ["usr/lib/modules", "lib/modules"].map(|base| dir.join(base));
        let base = bases.iter().find(|base| base.is_dir()).context("no lib/modules")?;
        let modules = fs::read_dir(base)?.next().context("lib/modules is empty")??.path();
        let release = modules.file_name().context("no release")?.to_string_lossy().into_owned();
        let images = [modules.join("vmlinuz"), dir.join(format!("boot/vmlinuz-{release}"))];
        let image = images.into_iter().find(|image| image.is_file()).context("no vmlinuz")?;
        Ok(Self { release, image, modules })
    }

    /// The folder that holds `lib/modules`.
    fn base(&self) -> Result<&Path> {
        self.modules.ancestors().nth(3).context("the modules have no folder above")
    }
}

fn remove_if_there(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;
    use std::{env, fs, process};

    use super::{ASKED, FRESH, is_fresh};

    #[test]
    fn the_archive_is_asked_again_once_its_answer_is_a_day_old() {
        let dir = env::temp_dir().join(format!("throttle-xtask-{}", process::id()));
        fs::create_dir(&dir).unwrap();
        let before = is_fresh(&dir);
        let asked = File::create(dir.join(ASKED)).unwrap();
        let at_once = is_fresh(&dir);
        asked.set_modified(SystemTime::now() - FRESH).unwrap();
        let a_day_later = is_fresh(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!([before, at_once, a_day_later], [false, true, false]);
    }
}
