//! Runs other programs and words their failures.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::Uid;

/// Runs `command` with our terminal; a failure is an error that says what was being done.
pub(crate) fn run(command: &mut Command, doing: &str) -> Result<()> {
    let line = command_line(command);
    let status = command.status().with_context(|| format!("{doing}: cannot start `{line}`"))?;
    ensure!(status.success(), "{doing}: `{line}` ended with {status}");
    Ok(())
}

/// Runs `command` and returns what it prints on stdout.
pub(crate) fn output(command: &mut Command, doing: &str) -> Result<String> {
    let line = command_line(command);
    let output = command.output().with_context(|| format!("{doing}: cannot start `{line}`"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{doing}: `{line}` ended with {}: {}",
        output.status,
        words.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The lines that a program prints, without their ends. Whatever is no UTF-8 in them is replaced, so that one
/// byte does not lose the rest.
pub(crate) fn lines(output: impl Read) -> impl Iterator<Item = io::Result<String>> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned();
    BufReader::new(output).split(b'\n').map(move |line| line.map(text))
}

/// Whether `command` can be started and ends well; it stays silent.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Where a program of this machine is; system folders are not on every user's `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut files = env::split_paths(&path).chain(system).map(|dir| dir.join(name));
    files.find(|file| file.is_file())
}

/// Becomes `command`; returns only if that fails.
pub(crate) fn replace(command: &mut Command, doing: &str) -> Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("{doing}: cannot start `{}`", command_line(command)))
}

/// Whether this process may make namespaces and load eBPF.
pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Refuses a task that makes namespaces and loads eBPF to anyone else.
pub(crate) fn require_root(task: &str) -> Result<()> {
    if !is_root() {
        bail!(
            "cannot run {task} as user {}: it makes network namespaces and loads eBPF, which takes \
             root; hint: sudo -E env \"PATH=$PATH\" cargo xtask {task}",
            Uid::effective()
        );
    }
    Ok(())
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn bytes_that_are_no_text_lose_nothing_else() {
        let found: Vec<_> = lines(&b"a\n\xffb\r\nc"[..]).map(Result::unwrap).collect();
        assert_eq!(found, ["a", "\u{fffd}b", "c"]);
    }
}
