//! Debian's package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::parts::{Parts, SHELLS};
use super::stage::{DATA, PROGRAM, Stage};
use crate::exec;

const DOC: &str = "usr/share/doc/throttle-agent";
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
const CONFFILE: &str = "etc/throttle/default.toml";

/// Makes `throttle-agent_VERSION_amd64.deb` in `directory`.
pub(super) fn build(parts: &Parts, directory: &Path, version: &str) -> Result<PathBuf> {
    let stage = Stage::new(directory.join("deb"))?;
    files(parts, &stage, version)?;
    control(parts, &stage, version)?;
    let package = directory.join(format!("throttle-agent_{version}_amd64.deb"));
    let mut command = Command::new("dpkg-deb");
    // Files get the time that is given, and are sorted.
    command.env("SOURCE_DATE_EPOCH", parts.epoch.to_string());
    command.args(["--root-owner-group", "-Zxz", "--build"]).arg(stage.path()).arg(&package);
    exec::output(&mut command, "building Debian's package")?;
    Ok(package)
}

fn files(parts: &Parts, stage: &Stage, version: &str) -> Result<()> {
    stage.copy(&parts.binary, "usr/bin/throttle-agent", PROGRAM)?;
    stage.copy_all(&parts.packaging("systemd"), "usr/lib/systemd/system")?;
    stage.copy_all(&parts.packaging("sysusers"), "usr/lib/sysusers.d")?;
    stage.copy(&parts.packaging("default.toml"), CONFFILE, DATA)?;
    for (shell, place) in SHELLS {
        stage.write(parts.completions(shell)?, place, DATA)?;
    }
    parts.manual(stage, "usr/share/man/man{section}")?;
    for page in stage.files()?.iter().filter(|path| path.starts_with("usr/share/man")) {
        stage.compress(&page.to_string_lossy())?;
    }
    parts.examples(stage, &format!("{DOC}/examples"))?;
    stage.copy(&parts.root.join("README.md"), &format!("{DOC}/README.md"), DATA)?;
    let copyright = read(&parts.packaging("debian/copyright"))?;
    let licence = indented(&read(&parts.root.join("LICENSE-MIT"))?);
    stage.write(copyright.replace("@MIT@", &licence), &format!("{DOC}/copyright"), DATA)?;
    stage.write(changelog(parts, version)?, &format!("{DOC}/changelog"), DATA)?;
    stage.compress(&format!("{DOC}/changelog"))
}

fn control(parts: &Parts, stage: &Stage, version: &str) -> Result<()> {
    let files = stage.files()?;
    let sums = checksums(stage, &files)?;
    let mut bytes = 0;
    for file in &files {
        bytes += fs::metadata(stage.path().join(file))?.len();
    }
    let kilobytes = bytes.div_ceil(1024).to_string();
    let text = read(&parts.packaging("debian/control"))?;
    let text = text.replace("@VERSION@", version).replace("@SIZE@", &kilobytes);
    stage.write(text, "DEBIAN/control", DATA)?;
    stage.write(sums, "DEBIAN/md5sums", DATA)?;
    stage.write(format!("/{CONFFILE}\n"), "DEBIAN/conffiles", DATA)?;
    SCRIPTS.into_iter().try_for_each(|script| {
        let source = parts.packaging(&format!("debian/{script}"));
        stage.copy(&source, &format!("DEBIAN/{script}"), PROGRAM)
    })
}

/// The sums that `dpkg --verify` compares; those of configuration are dpkg's own affair.
fn checksums(stage: &Stage, files: &[PathBuf]) -> Result<String> {
    let mut command = Command::new("md5sum");
    command.current_dir(stage.path());
    command.args(files.iter().filter(|file| *file != Path::new(CONFFILE)));
    exec::output(&mut command, "summing up files")
}

fn changelog(parts: &Parts, version: &str) -> Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date", &format!("@{}", parts.epoch)]);
    let date = exec::output(date.env("LC_ALL", "C"), "wording the date")?;
    let control = read(&parts.packaging("debian/control"))?;
    let maintainer = control.lines().find_map(|line| line.strip_prefix("Maintainer: "));
    let maintainer = maintainer.context("packaging/debian/control names no maintainer")?;
    Ok(format!(
        "throttle-agent ({version}) unstable; urgency=medium\n\n  * Release {version}.\n\n \
         -- {maintainer}  {}\n",
        date.trim()
    ))
}

/// A text as a field of a control file takes it: indented, with dots on empty lines.
fn indented(text: &str) -> String {
    let lines = text.trim_end().lines();
    let lines =
        lines.map(|line| if line.is_empty() { " .".to_owned() } else { format!(" {line}") });
    lines.collect::<Vec<_>>().join("\n")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
