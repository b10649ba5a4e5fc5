//! Runs external commands and turns their failures into errors that show what was said.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs `command` to its end and returns its standard output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    succeeded(command, &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `ip` with `arguments` separated by white space.
pub fn ip(arguments: &str) -> Result<String> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}

/// Runs the lines of `script` as one `ip -batch` inside the named namespace.
pub fn ip_batch(namespace: &str, script: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-n", namespace, "-batch", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting ip -batch")?;
    // Dropping the pipe after the write is what ends the batch.
    child.stdin.take().context("ip -batch has no standard input")?.write_all(script.as_bytes())?;
    let output = child.wait_with_output()?;
    succeeded(&command, &output).with_context(|| format!("batch:\n{script}"))
}

fn succeeded(command: &Command, output: &Output) -> Result<()> {
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {}", output.status, words.trim());
    Ok(())
}
