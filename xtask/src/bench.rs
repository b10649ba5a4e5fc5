//! `cargo xtask bench`: the benchmarks whose tables back the README's figures and the pages under docs/.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::docs::Section;
use crate::{build, demo, exec, setup, vmtest};

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
    fn word(self) -> &'static str {
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
    fn section(self) -> Option<Section> {
        match self {
            Self::Accuracy => Some(Section { page: "accuracy", name: "udp" }),
            Self::GuestUdp => Some(Section { page: "accuracy", name: "guest-udp" }),
            Self::Tcp => Some(Section { page: "accuracy", name: "tcp" }),
            Self::Path => Some(Section { page: "performance", name: "path" }),
            Self::Router => Some(Section { page: "performance", name: "router" }),
            Self::Agent | Self::Attack | Self::Policy => None,
        }
    }
}

/// Builds the agent and runs one benchmark; with `record`, its table goes to its page as well, also where bars are
/// missed.
pub(crate) fn run(name: Name, record: bool, arguments: &[OsString]) -> Result<()> {
    let word = name.word();
    let section = name.section();
    ensure!(
        section.is_some() || !record,
        "cannot record `bench {word}`: it has no page under docs/; accepted: accuracy, guest-udp, \
         path, router, tcp"
    );
    exec::require_root(&format!("bench {word}"))?;
    let mut program = match name {
        Name::GuestUdp => vmtest::bench_guest_udp(arguments)?,
        Name::Tcp => vmtest::bench_tcp(arguments)?,
        Name::Accuracy | Name::Agent | Name::Attack | Name::Path | Name::Policy | Name::Router => {
            setup::run(setup::For::Tests)?;
            build::agent()?;
            demo::program(&format!("bench-{word}"), arguments)?
        }
    };
    match section.filter(|_| record) {
        None => exec::replace(&mut program, &format!("running bench-{word}")),
        Some(section) => show_and_record(&mut program, section),
    }
}

/// Runs `program`, shows what it prints and records it.
fn show_and_record(program: &mut Command, section: Section) -> Result<()> {
    let mut child = program.stdout(Stdio::piped()).spawn().context("starting the benchmark")?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context("reading what the benchmark prints")?;
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().context("waiting for the benchmark")?;
    ensure!(!text.is_empty(), "the benchmark printed nothing and ended with {status}");
    section.record(&text)?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}
