//! Debian's archive through an apt of its own: the machine's mirror and keyring, suites of our choice. What the
//! machine's apt knows stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;

/// The keys that sign every suite.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The binary packages of some suites.
pub(super) struct Archive {
    config: PathBuf,
}

impl Archive {
    /// Reads what `suites` hold, keeping all state below `dir`.
    pub(super) fn open(dir: &Path, suites: &str) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(part)).with_context(|| format!("making {part}"))?;
        }
        fs::write(dir.join("debian.sources"), sources(&mirror()?, suites))?;
        // Suites have different priorities by default; here the highest version wins.
        fs::write(dir.join("preferences"), "Package: *\nPin: release a=*\nPin-Priority: 500\n")?;
        let config = dir.join("apt.conf");
        fs::write(&config, configuration(dir))?;
        let archive = Self { config };
        let doing = format!("reading Debian's package lists of {suites}");
        exec::run(archive.command("apt-get").args(["--quiet", "update"]), &doing)?;
        Ok(archive)
    }

    /// The packages that the newest `package` needs exactly, itself among them, whose names end in `ending`.
    pub(super) fn closure(&self, package: &str, ending: &str) -> Result<Vec<String>> {
        let mut found = vec![package.to_owned()];
        let mut looked_at = 0;
        while looked_at < found.len() {
            let mut show = self.command("apt-cache");
            show.args(["show", "--no-all-versions", &found[looked_at]]);
            let record = exec::output(&mut show, "looking a package up")?;
            for name in dependencies(&record).filter(|name| name.ends_with(ending)) {
                if !found.iter().any(|found| found == name) {
                    found.push(name.to_owned());
                }
            }
            looked_at += 1;
        }
        Ok(found)
    }

    /// Downloads `packages` to `dir`; apt compares them with the checksums of the signed lists.
    pub(super) fn download(&self, packages: &[String], dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let mut command = self.command("apt-get");
        command.args(["--quiet", "download"]).args(packages).current_dir(dir);
        exec::run(&mut command, "downloading packages")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--config-file").arg(&self.config);
        command
    }
}

/// The mirror of Debian's main archive that this machine is set up for. apt tells it once it has lists.
fn mirror() -> Result<String> {
    if let Some(mirror) = known_mirror()? {
        return Ok(mirror);
    }
    let mut update = Command::new("apt-get");
    exec::run(update.args(["--quiet", "update"]), "updating the package lists")?;
    known_mirror()?
        .context("apt has no source whose URI ends in /debian; accepted: a mirror of Debian")
}

fn known_mirror() -> Result<Option<String>> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let uris = exec::output(&mut targets, "asking apt for its mirror")?;
    let mut uris = uris.lines().map(|uri| uri.trim_end_matches('/'));
    Ok(uris.find(|uri| uri.ends_with("/debian")).map(str::to_owned))
}

fn sources(mirror: &str, suites: &str) -> String {
    format!(
        "Types: deb\nURIs: {mirror}\nSuites: {suites}\nComponents: main\nArchitectures: amd64\n\
         Targets: Packages\nSigned-By: {KEYRING}\n"
    )
}

/// Read by apt after the machine's own configuration, so that proxies stay in force. Nothing is installed, hence
/// the empty status; `_apt` may have no way into the workspace.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "#clear APT::Update;\n\
         APT::Architecture \"amd64\";\n\
         APT::Sandbox::User \"root\";\n\
         Dir::State::lists \"{dir}/lists\";\n\
         Dir::State::status \"/dev/null\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         Dir::Etc::SourceList \"{dir}/debian.sources\";\n\
         Dir::Etc::SourceParts \"/dev/null\";\n\
         Dir::Etc::Preferences \"{dir}/preferences\";\n\
         Dir::Etc::PreferencesParts \"/dev/null\";\n"
    )
}

/// The names on the `Depends:` line of a package's record that have no alternative.
fn dependencies(record: &str) -> impl Iterator<Item = &str> {
    let line = record.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
    let single = line.split(", ").filter(|dependency| !dependency.contains('|'));
    single.filter_map(|dependency| dependency.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn dependencies_are_read_without_versions_and_alternatives() {
        let record = "Package: linux-image-7.3\nVersion: 7.3-1\n\
             Depends: dracut | initramfs-tools (>= 0.120), linux-base-7.3 (= 7.3-1), kmod\n\
             Suggests: doc\n";
        assert_eq!(dependencies(record).collect::<Vec<_>>(), ["linux-base-7.3", "kmod"]);
        assert_eq!(dependencies("Package: a\n").count(), 0);
    }
}
