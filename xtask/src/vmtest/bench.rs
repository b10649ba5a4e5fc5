//! Benchmarks of what takes another kernel, in guests whose clocks follow their instructions.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::fs;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::Value;

use super::folder::Folder;
use super::guest::{self, Told};
use super::initramfs::{self, Content};
use super::kernel::{self, Kernel};
use super::payload::{agent, executable};
use super::qemu::{Clock, Line, Machine};
use crate::{demo, setup};

/// How long a guest may say nothing: longer than one limiter is measured where the machine has other work to do.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// TCP against its limit over paths with a round-trip time.
#[derive(Parser)]
#[command(name = "cargo xtask bench tcp --", no_binary_name = true)]
struct Options {
    /// How long each connection is measured, once its first burst is spent
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How often each limiter is measured, each time in a guest of its own
    #[arg(long, default_value_t = 2)]
    runs: u32,
    /// The limit of every connection
    #[arg(long, default_value_t = 5_000_000)]
    bits_per_second: u64,
    /// Whose limits beside ours, of police, nft, hashlimit and HTB; all of them by default
    #[arg(long, value_parser = word)]
    peers: Option<String>,
    /// Only connections of which the name, such as 100ms,cubic,down,IPv4, contains this text
    #[arg(long, value_parser = word)]
    only: Option<String>,
}

impl Options {
    /// What runs in the guest.
    fn command(&self, run: u32) -> String {
        let Self { seconds, bits_per_second, peers, only, .. } = self;
        let mut command = format!(
            "bench-tcp --seconds {seconds} --bits-per-second {bits_per_second} --run {run}"
        );
        for (option, value) in [("peers", peers), ("only", only)] {
            if let Some(value) = value {
                command += &format!(" --{option}={value}");
            }
        }
        command
    }
}

/// What the guest's shell takes as one word.
pub(super) fn word(text: &str) -> Result<String, String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == ',';
    if text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("accepted: a part of a name of letters, digits and commas".to_owned())
    }
}

/// Measures TCP in guests, and returns what prints the tables.
pub(crate) fn tcp(arguments: &[OsString]) -> Result<Command> {
    let options = Options::try_parse_from(arguments).unwrap_or_else(|error| error.exit());
    in_guests("bench-tcp", options.runs, |run| options.command(run))
}

/// Runs `command` of the binary `name` in guests with Linux 6.12, as many at once as there are processors, and returns
/// what prints the tables of all that they tell.
pub(super) fn in_guests(
    name: &str,
    runs: u32,
    command: impl Fn(u32) -> String + Sync,
) -> Result<Command> {
    ensure!(ARCH == "x86_64", "the kernels are for x86_64, this machine is {ARCH}");
    ensure!(runs > 0, "cannot measure 0 runs; accepted: 1 or more");
    setup::run(setup::For::VirtualMachines)?;
    let folder = Folder::hold()?;
    let told = folder.path().join(format!("{name}.json"));
    let files = kernel::fetch(&folder, Kernel::Linux6_12)?;
    let binaries = binaries(name)?;
    eprintln!("{name}: booting {}, {runs} times, under software emulation", files.release);
    let one_run = |run| {
        let initramfs = folder.scratch(&format!("{name}-{run}.cpio"))?;
        let content = Content {
            files: binaries.clone(),
            command: command(run),
            environment: "export THROTTLE_AGENT=/usr/local/bin/throttle-agent\n",
        };
        initramfs::write(&initramfs, &files, &content)?;
        let machine = Machine::boot(&files.image, &initramfs, Clock::Instructions)?;
        let batches = follow(&machine, run)?;
        ensure!(!batches.is_empty(), "the guest measured nothing");
        Ok(batches)
    };
    let batches = Value::Array(all_runs(runs, one_run)?);
    fs::write(&told, batches.to_string()).with_context(|| format!("writing {}", told.display()))?;
    demo::program(name, &["--report".into(), told.into()])
}

/// What of this workspace is in a guest, and where.
fn binaries(name: &str) -> Result<Vec<(String, PathBuf)>> {
    let bench = ["build", "--release", "-p", "throttle-tests", "--bin", name];
    Ok(vec![
        ("/usr/local/bin/throttle-agent".to_owned(), agent()?),
        (format!("/usr/local/bin/{name}"), executable(&bench, name)?),
    ])
}

/// What the runs from 1 to `runs` tell, as many at once as there are processors, since each guest has one.
fn all_runs(runs: u32, one_run: impl Fn(u32) -> Result<Vec<Value>> + Sync) -> Result<Vec<Value>> {
    let processors = thread::available_parallelism().context("counting processors")?.get();
    let next = AtomicU32::new(1);
    let work = || -> Result<Vec<Value>> {
        let mut told = Vec::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run > runs {
                return Ok(told);
            }
            told.extend(one_run(run).with_context(|| format!("run {run}"))?);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..processors.min(runs as usize)).map(|_| scope.spawn(work)).collect();
        let told = threads.into_iter().map(|thread| thread.join());
        let told = told.map(|told| told.unwrap_or_else(|panic| resume_unwind(panic)));
        Ok(told.collect::<Result<Vec<_>>>()?.concat())
    })
}

/// Shows what the guest of a run says until it ends, and returns the batches that it tells.
fn follow(machine: &Machine, run: u32) -> Result<Vec<Value>> {
    let Told { status, data } = guest::follow(machine, PATIENCE, |line| {
        let (Line::Console(line) | Line::Tests(line)) = line;
        eprintln!("run {run}: {line}");
    })?;
    ensure!(status == "0", "the benchmark ended with status {status}");
    Ok(data.into_iter().map(|(_, batch)| batch).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Options;

    #[test]
    fn thirty_seconds_are_measured_twice_unless_told_otherwise() {
        let parse = |arguments: &[&str]| Options::try_parse_from(arguments);
        let options = parse(&[]).unwrap();
        assert_eq!((options.seconds, options.runs), (30, 2));
        let options = parse(&["--runs", "3", "--peers", "nft"]).unwrap();
        assert_eq!(options.runs, 3);
        let command = "bench-tcp --seconds 30 --bits-per-second 5000000 --run 2 --peers=nft";
        assert_eq!(options.command(2), command);
        assert!(parse(&["nft"]).is_err() && parse(&["--only", "$(reboot)"]).is_err());
    }
}
