//! What both packages hold, and when it was made.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::stage::{Stage, name};
use crate::{exec, workspace};

/// Shells with the option of `completions` and the place of its output in Debian.
pub(super) const SHELLS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/throttle-agent"),
    ("zsh", "usr/share/zsh/vendor-completions/_throttle-agent"),
    ("fish", "usr/share/fish/vendor_completions.d/throttle-agent.fish"),
];

/// Where everything comes from.
pub(super) struct Parts {
    /// The binary.
    pub(super) binary: PathBuf,
    /// The workspace.
    pub(super) root: PathBuf,
    /// Seconds since 1970 of the last commit: the time of every file, so that the same sources make the
    /// same packages.
    pub(super) epoch: u64,
}

impl Parts {
    /// Parts around a binary.
    pub(super) fn new(binary: PathBuf) -> Result<Self> {
        let root = workspace::root()?;
        let mut git = Command::new("git");
        git.arg("-C").arg(&root).args(["log", "-1", "--format=%ct"]);
        let time = exec::output(&mut git, "asking git for the time of the last commit")?;
        let epoch = time.trim().parse().with_context(|| format!("reading {time:?}"))?;
        Ok(Self { binary, root, epoch })
    }

    /// A file or folder of `packaging/`.
    pub(super) fn packaging(&self, path: &str) -> PathBuf {
        self.root.join("packaging").join(path)
    }

    /// Writes the manual pages to the folder `to` of `stage`: those of commands and those written by hand.
    pub(super) fn manual(&self, stage: &Stage, to: &str) -> Result<()> {
        let pages = Stage::new(self.root.join("target/package/man"))?;
        let mut man = Command::new(&self.binary);
        exec::run(man.arg("man").arg(pages.path()), "writing the manual pages")?;
        let written = self.packaging("man");
        for folder in [pages.path(), &written] {
            for page in super::stage::files(folder)? {
                let section = page.extension().unwrap_or_default().to_string_lossy().into_owned();
                let place = to.replace("{section}", &section);
                stage.copy(&page, &format!("{place}/{}", name(&page)), super::stage::DATA)?;
            }
        }
        Ok(())
    }

    /// What makes a shell complete.
    pub(super) fn completions(&self, shell: &str) -> Result<String> {
        let mut command = Command::new(&self.binary);
        exec::output(command.args(["completions", shell]), "writing completions")
    }

    /// Writes the example configuration and the dashboard to the folder `to` of `stage`.
    pub(super) fn examples(&self, stage: &Stage, to: &str) -> Result<()> {
        let example = self.packaging("example.toml");
        stage.copy(&example, &format!("{to}/example.toml"), super::stage::DATA)?;
        stage.copy_all(&self.packaging("grafana"), to)
    }
}
