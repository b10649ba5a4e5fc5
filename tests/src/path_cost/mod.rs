//! What the program alone costs for one packet, by BPF_PROG_TEST_RUN: by what it meets, and step by step.

mod parts;
mod rows;
mod steps;

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, anyhow};
use throttle_common::abi::Hook;

pub use self::parts::{PartCost, parts};
pub use self::rows::{Bar, Row, rows};
pub use self::steps::{StepCost, steps};
use crate::prog::Program;
use crate::shim::Shim;

/// Enough that two processors seldom meet at one host.
const FEW: u32 = 1 << 8;
const MANY: u32 = 1 << 16;
const MOST: u32 = 1 << 20;

/// How many hosts take turns in the breakdown.
pub const HOSTS: [u32; 3] = [1, MANY, MOST];

/// The default burst at the rate: 250 ms.
const BURST_BYTES: u64 = 400_000_000_000 / 8 / 4;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Runs in which programs take turns; the median counts.
    pub runs: u32,
    /// How often each program gets its packet in a run.
    pub packets: u32,
}

/// The program behind a shim that picks one of `hosts`.
fn behind_shim(program: &mut Program, hosts: u32) -> Result<Shim> {
    let classifier =
        program.datapath().classifier(Hook::Ingress).map_err(|error| anyhow!("{error}"))?;
    Shim::load(hosts, classifier.fd().context("the program is loaded")?.as_fd())
}

/// Packets of which (nearly) every host has one.
fn packets_for(hosts: u32) -> u32 {
    hosts.saturating_mul(8).max(1000)
}
