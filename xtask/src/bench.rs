//! `cargo xtask bench`: the benchmarks whose tables back the README's figures and the pages under docs/.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::docs::Section;
use crate::{build, demo, exec, setup, vmtest};
use exit_status::MISSED;

#[path = "../../tests/src/exit_status.rs"]
#[expect(unreachable_pub, reason = "the test package has this file too, where others reach it")]
mod exit_status;

/// A benchmark of the test package.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// Measured rate against limit, for floods of every speed and direction
    Accuracy,
    /// Processor time, answers of the command line and memory of the agent with a million hosts
    Agent,
    /// Hosts, memory and log while 10 million spoofed hosts flood the table
    Attack,
    /// Measured rate against low limits, ours beside every other limiter, in virtual machines
    GuestUdp,
    /// Nanoseconds per packet above an empty classifier
    Path,
    /// Time until a whole policy, and until one change, is in force
    Policy,
    /// What limiting costs a router that forwards the smallest packets, beside other limiters
    Router,
    /// TCP against its limit over paths with a round-trip time, in virtual machines
    Tcp,
}

impl Name {
    /// As on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Agent => "agent",
            Self::Attack => "attack",
            Self::GuestUdp => "guest-udp",
            Self::Path => "path",
            Self::Policy => "policy",
            Self::Router => "router",
            Self::Tcp => "tcp",
        }
    }

    /// Where its table is kept.
    fn section(self) -> Section {
        let page = match self {
            Self::Accuracy | Self::GuestUdp | Self::Tcp => "accuracy",
            Self::Agent | Self::Attack | Self::Path | Self::Policy | Self::Router => "performance",
        };
        let name = if matches!(self, Self::Accuracy) { "udp" } else { self.word() };
        Section { page, name }
    }

    /// Builds what it takes; what it prints is its table.
    fn program(self, arguments: &[OsString]) -> Result<Command> {
        let word = self.word();
        exec::require_root(&format!("bench {word}"))?;
        match self {
            Self::GuestUdp => vmtest::bench_guest_udp(arguments),
            Self::Tcp => vmtest::bench_tcp(arguments),
            Self::Accuracy
            | Self::Agent
            | Self::Attack
            | Self::Path
            | Self::Policy
            | Self::Router => {
                setup::run(setup::For::Tests)?;
                build::agent()?;
                demo::program(&format!("bench-{word}"), arguments)
            }
        }
    }
}

/// Builds the agent and becomes a benchmark.
pub(crate) fn run(name: Name, arguments: &[OsString]) -> Result<()> {
    exec::replace(&mut name.program(arguments)?, &format!("running bench-{}", name.word()))
}

/// Runs a benchmark, shows what it prints, and writes that to its page as well, also where bars are missed; but not if it
/// came to no end, and with what it was asked for in place of its defaults.
pub(crate) fn record(name: Name, arguments: &[OsString]) -> Result<()> {
    let is_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    ensure!(
        !is_help,
        "cannot record a help text; hint: `cargo xtask bench {} -- --help`",
        name.word()
    );
    let draft = name.section().open()?;
    let mut program = name.program(arguments)?;
    let mut child = program.stdout(Stdio::piped()).spawn().context("starting the benchmark")?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in exec::lines(stdout) {
            let line = line.context("reading what the benchmark prints")?;
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().context("waiting for the benchmark")?;
    let has_missed = status.code() == Some(MISSED.into());
    ensure!(status.success() || has_missed, "the benchmark ended with {status}; its page stays");
    ensure!(!text.is_empty(), "the benchmark printed nothing; its page stays");
    draft.record(&(asked_for(arguments) + &text))?;
    ensure!(!has_missed, "bars are missed, as the page says");
    Ok(())
}

/// What a reader has to know of a benchmark that was not run as it runs by itself.
fn asked_for(arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    if words.is_empty() { String::new() } else { format!("With `{}`.\n\n", words.join(" ")) }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::{Name, asked_for};

    #[test]
    fn a_page_tells_what_was_asked_for() {
        assert_eq!(asked_for(&[]), "");
        assert_eq!(asked_for(&["--only".into(), "64 B".into()]), "With `--only 64 B`.\n\n");
    }

    #[test]
    fn every_benchmark_has_a_section_of_its_own() {
        for name in Name::value_variants() {
            name.section().check().unwrap();
        }
        let mut sections: Vec<_> =
            Name::value_variants().iter().map(|name| format!("{:?}", name.section())).collect();
        sections.sort();
        sections.dedup();
        assert_eq!(sections.len(), Name::value_variants().len());
    }
}
