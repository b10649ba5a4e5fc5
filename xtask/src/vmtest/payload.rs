//! What a guest runs: the agent, the suites, and which of their tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::initramfs::Content;
use super::kernel::Kernel;
use super::plan::Plan;
use crate::{exec, test, verify, workspace};

/// Parts of the names of tests: what runs packets through the loaded program, what needs kernel features that few
/// machines have, and of the real traffic what an emulated machine sends in time.
const FILTERS: [&str; 5] = [
    "prog_",
    "guest_",
    "traffic_detach",
    "a_flood_is_held_to_10_mbit",
    "a_killed_and_restarted_agent_leaves_the_limit_in_force",
];

/// What is put into a guest.
pub(super) struct Payload {
    /// The binary of the suites.
    suites: PathBuf,
    /// The binary under test.
    agent: PathBuf,
    /// Names of the tests to run.
    tests: Vec<String>,
    /// Variables of the suites, as a shell sets them.
    environment: String,
}

impl Payload {
    /// Builds agent and suites. `filter` selects tests in place of those that a guest runs otherwise; with
    /// `is_recording`, figures of the verifier are told without being held against the record.
    pub(super) fn build(filter: Option<&str>, is_recording: bool) -> Result<Self> {
        let suites = ["test", "--release", "-p", "throttle-tests", "--test", "suites", "--no-run"];
        let filters = filter.map_or_else(|| FILTERS.to_vec(), |filter| vec![filter]);
        let mut environment = format!(
            "export {}=1 {}=1 THROTTLE_AGENT=/usr/local/bin/throttle-agent\n",
            test::MUST_RUN,
            test::IN_GUEST
        );
        if is_recording {
            environment += &format!("export {}=1\n", verify::RECORDING);
        }
        let suites = executable(&suites, "suites")?;
        let mut list = Command::new(&suites);
        list.args(["--list", "--format=terse"]).args(&filters);
        let listing = exec::output(&mut list, "listing the tests")?;
        let tests: Vec<_> = test::listed(&listing).map(str::to_owned).collect();
        ensure!(!tests.is_empty(), "no test's name contains any of: {}", filters.join(", "));
        Ok(Self { agent: agent()?, suites, tests, environment })
    }

    /// Which tests run on `kernel`, and which cannot.
    pub(super) fn plan(&self, kernel: Kernel) -> Plan {
        Plan::new(&self.tests, kernel.lacks())
    }

    /// What a guest that runs `tests` has of it.
    pub(super) fn content(&self, tests: &[&str]) -> Content<'_> {
        let files = [("throttle-suites", &self.suites), ("throttle-agent", &self.agent)];
        let files = files.map(|(name, file)| (format!("/usr/local/bin/{name}"), file.clone()));
        let tests = tests.join(" ");
        Content {
            files: files.into(),
            command: format!("throttle-suites --test-threads=1 --show-output --exact {tests}"),
            environment: &self.environment,
        }
    }
}

/// Builds the agent.
pub(super) fn agent() -> Result<PathBuf> {
    let arguments = ["build", "--release", "-p", "throttle-agent", "--bin", "throttle-agent"];
    executable(&arguments, "throttle-agent")
}

/// Runs `cargo ARGUMENTS` and returns the path of the executable that it makes of `target`.
pub(super) fn executable(arguments: &[&str], target: &str) -> Result<PathBuf> {
    let mut cargo = workspace::cargo()?;
    cargo.args(arguments).arg("--message-format=json-render-diagnostics");
    let messages = exec::output(&mut cargo, &format!("building {target}"))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == target)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo names no executable of {target}"))
}
