//! Debian's kernels for virtual machines, fetched once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::apt::Archive;
use crate::{exec, workspace};

/// What the package names of the kernels end in. Those of the cloud flavour, made for virtual machines, are a third
/// as large but have no PPP.
const FLAVOUR: &str = "amd64";

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

/// The files of `kernel`, downloaded unless they are there.
pub(super) fn fetch(kernel: Kernel) -> Result<Files> {
    let parent = workspace::root()?.join("target/vm");
    let folder = format!("{}-{FLAVOUR}", kernel.name());
    let dir = parent.join(&folder);
    if !dir.is_dir() {
        let partial = parent.join(format!("{folder}.partial"));
        remove_if_there(&partial)?;
        let outcome = download(kernel, &partial);
        let outcome = outcome.with_context(|| format!("fetching the kernel {}", kernel.name()));
        if outcome.is_err() {
            remove_if_there(&partial)?;
        }
        outcome?;
        fs::rename(&partial, &dir).with_context(|| format!("making {}", dir.display()))?;
    }
    Files::find(&dir).with_context(|| {
        format!("looking for a kernel in {}; hint: remove that folder", dir.display())
    })
}

fn download(kernel: Kernel, dir: &Path) -> Result<()> {
    let (name, suites) = (kernel.name(), kernel.suites());
    eprintln!("vmtest: fetching the kernel {name} from Debian's {suites} (once)");
    let (apt, packages) = (dir.join("apt"), dir.join("packages"));
    let archive = Archive::open(&apt, suites)?;
    let wanted = archive.closure(&format!("linux-image-{FLAVOUR}"), FLAVOUR)?;
    archive.download(&wanted, &packages)?;
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
    remove_if_there(&packages)?;
    remove_if_there(&apt)
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
