//! What a process may do, thread by thread, as the kernel tells it.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Bits of the capabilities that a running agent keeps: CAP_NET_ADMIN and CAP_BPF.
pub const KEPT: u64 = 1 << 12 | 1 << 39;

/// The capabilities that an agent is started with, as setpriv(1) takes them: what it takes to load the
/// program, to attach it, and to enter a network namespace.
pub const TO_START: &str = "-all,+bpf,+net_admin,+perfmon,+sys_admin";

/// The sets of capabilities of one thread, and whether it can never gain others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// What it may use.
    pub permitted: u64,
    /// What it uses.
    pub effective: u64,
    /// What a program that it starts can have at most.
    pub bounding: u64,
    /// What it passes on to programs that ask for it.
    pub inheritable: u64,
    /// What it passes on to any program.
    pub ambient: u64,
    /// Whether no program that it starts gains more.
    pub no_new: bool,
}

impl Privileges {
    /// Those of the calling thread.
    pub fn of_this_thread() -> Result<Self> {
        let status = "/proc/thread-self/status";
        of_status(&fs::read_to_string(status).with_context(|| format!("reading {status}"))?)
    }
}

/// The privileges of every thread of a process.
pub fn of_threads(process: u32) -> Result<Vec<Privileges>> {
    let directory = format!("/proc/{process}/task");
    let threads = fs::read_dir(&directory).with_context(|| format!("reading {directory}"))?;
    threads.map(|thread| of_status(&fs::read_to_string(thread?.path().join("status"))?)).collect()
}

fn of_status(status: &str) -> Result<Privileges> {
    let field = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
        let text = lines
            .find_map(|rest| rest.strip_prefix(':'))
            .with_context(|| format!("no line {name} in the status of a thread:\n{status}"))?;
        u64::from_str_radix(text.trim(), 16).with_context(|| format!("{name}:{text}"))
    };
    Ok(Privileges {
        permitted: field("CapPrm")?,
        effective: field("CapEff")?,
        bounding: field("CapBnd")?,
        inheritable: field("CapInh")?,
        ambient: field("CapAmb")?,
        no_new: field("NoNewPrivs")? == 1,
    })
}

/// setpriv(1) with its arguments, which go before the program to run; that ends with the calling thread.
pub fn setpriv(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(arguments).arg("--pdeathsig=TERM");
    command
}
