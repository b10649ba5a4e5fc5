//! A running `throttle-agent` of the release build, under an instance name of its own.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use throttle_agent::instance::RUN_DIR;

use crate::netns::{Namespace, unique_name};
use crate::traffic::Direction;
use crate::{leftovers, restrict};

/// How long an agent may take to start or to stop: an emulated machine verifies the program for half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// The binary under test: `$THROTTLE_AGENT`, or the release build in the target folder.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("THROTTLE_AGENT") {
        return path.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    target.unwrap_or_else(|| workspace.join("target")).join("release/throttle-agent")
}

/// What one call of the command line said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Result<Self> {
        let output = command.output().with_context(|| format!("starting {command:?}"))?;
        Ok(Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// The part of `host show -j` that tests read.
#[derive(Clone, Debug, Deserialize)]
pub struct HostReport {
    /// The prefix of the limit in force.
    pub limit: Option<String>,
    /// What the host sent.
    pub up: Counters,
    /// What was sent to the host.
    pub down: Counters,
}

impl HostReport {
    /// The totals of one direction.
    pub fn of(&self, direction: Direction) -> Counters {
        match direction {
            Direction::Up => self.up,
            Direction::Down => self.down,
        }
    }
}

/// Totals of one host and direction.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Counters {
    /// Bytes let through.
    pub passed_bytes: u64,
    /// Packets let through.
    pub passed_packets: u64,
    /// Bytes found too much.
    pub excess_bytes: u64,
    /// Packets found too much.
    pub excess_packets: u64,
}

/// The part of `stats -j` that tells of the host table.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct HostTable {
    /// Hosts in it.
    pub tracked: u64,
    /// Hosts that it has room for.
    pub capacity: u64,
    /// Packets of hosts that it had no room for.
    pub overflowed: u64,
}

/// A running agent. On drop it detaches, ends, and must leave nothing behind.
#[derive(Debug)]
pub struct Agent {
    program: PathBuf,
    instance: String,
    namespace: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    state_dir: PathBuf,
    log: PathBuf,
    process: Option<Child>,
    /// Whether it ever answered; one that never did has its own error to report.
    answered: bool,
}

impl Agent {
    /// Starts an agent for `namespace` with further arguments of `run` and waits until it answers.
    pub fn start(namespace: &Namespace, arguments: &[&str]) -> Result<Self> {
        Self::start_with(namespace, arguments, &[])
    }

    /// The same with variables of the environment.
    pub fn start_with(
        namespace: &Namespace,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Self> {
        Self::start_program(&binary(), namespace, arguments, environment)
    }

    /// The same with another build of the agent; the command line stays that of [`binary`].
    pub fn start_program(
        program: &Path,
        namespace: &Namespace,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Self> {
        for path in [program, &binary()] {
            let shown = path.display();
            ensure!(path.exists(), "{shown} is missing; hint: build it with `cargo xtask build`");
        }
        let instance = unique_name();
        let state_dir = std::env::temp_dir().join(format!("{instance}.state"));
        let own = ["run", "--netns", namespace.name()];
        let mut arguments: Vec<_> = own.iter().chain(arguments).map(ToString::to_string).collect();
        if !arguments.iter().any(|argument| argument == "--ephemeral") {
            arguments.extend(["--state-dir".to_owned(), state_dir.display().to_string()]);
        }
        let log = std::env::temp_dir().join(format!("{instance}.log"));
        let namespace = namespace.name().to_owned();
        let environment = environment.iter();
        let environment = environment.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let environment = environment.collect();
        let mut agent = Self {
            program: program.to_owned(),
            instance,
            namespace,
            environment,
            arguments,
            state_dir,
            log,
            process: None,
            answered: false,
        };
        agent.restart()?;
        Ok(agent)
    }

    /// The instance name.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Path of the control socket.
    pub fn socket(&self) -> PathBuf {
        Path::new(RUN_DIR).join(format!("{}.sock", self.instance))
    }

    /// Where it saves what is changed at run time.
    pub fn saved(&self) -> PathBuf {
        self.state_dir.join(&self.instance)
    }

    /// The process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Starts the agent again after [`Self::kill`] and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.restart_by(Command::new(&self.program))
    }

    /// As [`Self::restart`], yet started by `launcher`, which runs the binary with what is added to it.
    pub fn restart_by(&mut self, launcher: Command) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = launcher;
        command.args(["--instance", &self.instance]).args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A Ctrl-C at the terminal ends the test, which then ends the agent in order.
        restrict::dies_with_this_thread(command.process_group(0));
        self.process = Some(command.spawn().with_context(|| format!("starting {command:?}"))?);
        self.wait_until_it_answers()
            .with_context(|| format!("log of the agent:\n{}", self.log_tail()))
    }

    /// Ends the agent as a crash would (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the agent is not running")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> Result<bool> {
        match &mut self.process {
            Some(process) => Ok(process.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    /// The command line with `--instance`, yet without a verb.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(["--instance", &self.instance]);
        command
    }

    /// The same as it is typed into a shell.
    pub fn command_line(&self) -> String {
        format!("{} --instance {}", binary().display(), self.instance)
    }

    /// Runs one verb, given as words separated by white space.
    pub fn cli(&self, words: &str) -> Result<Outcome> {
        Outcome::of(self.command().args(words.split_whitespace()))
    }

    /// Runs one verb that must succeed.
    pub fn done(&self, words: &str) -> Result<String> {
        let outcome = self.cli(words)?;
        ensure!(outcome.code == Some(0), "{words}: {outcome:?}; log:\n{}", self.log_tail());
        Ok(outcome.stdout)
    }

    /// Runs one verb with `--json` and reads what it prints.
    pub fn json<T: DeserializeOwned>(&self, words: &str) -> Result<T> {
        let text = self.done(&format!("--json {words}"))?;
        serde_json::from_str(&text).with_context(|| format!("{words} printed {text:?}"))
    }

    /// The counters of one host.
    pub fn host(&self, address: impl std::fmt::Display) -> Result<HostReport> {
        self.json(&format!("host show {address}"))
    }

    /// The host table as it is now.
    pub fn host_table(&self) -> Result<HostTable> {
        #[derive(Deserialize)]
        struct Stats {
            hosts: HostTable,
        }
        Ok(self.json::<Stats>("stats")?.hosts)
    }

    /// All that the agent logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string())
    }

    /// The last lines the agent logged.
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.cli("--json status")?.code != Some(0) {
            ensure!(self.is_running()?, "the agent ended before it answered");
            ensure!(Instant::now() < deadline, "the agent does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        self.answered = true;
        Ok(())
    }

    /// Asks the agent to end, and ends it for good when it does not.
    pub fn end(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let deadline = Instant::now() + PATIENCE;
        if process.try_wait()?.is_none() {
            kill(Pid::from_raw(i32::try_from(process.id())?), Signal::SIGTERM)?;
        }
        while process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                process.kill()?;
                process.wait()?;
                bail!("the agent does not end on SIGTERM");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Runs `detach --all`, which must also work after [`Self::kill`].
    pub fn detach_all(&self) -> Result<String> {
        let (netns, state_dir) = (&self.namespace, self.state_dir.display());
        self.done(&format!("detach --all --netns {netns} --state-dir {state_dir}"))
    }

    /// Detaches and ends; returns what was left behind all the same.
    fn clean_up(&mut self) -> Result<Vec<PathBuf>> {
        let detached = self.detach_all();
        self.end()?;
        detached?;
        Ok(leftovers::of_instance(&self.instance))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let log = self.log_tail();
        let cleaned = self.clean_up();
        for path in leftovers::of_instance(&self.instance) {
            leftovers::remove(&path);
        }
        let saved = self.state_dir.exists();
        // All that may be missing when the agent never started.
        let _ = fs::remove_dir_all(&self.state_dir);
        let _ = fs::remove_file(&self.log);
        if thread::panicking() || !self.answered {
            let _ =
                writeln!(std::io::stderr(), "log of agent {}:\n{log}\n{cleaned:?}", self.instance);
            return;
        }
        let left =
            cleaned.unwrap_or_else(|error| panic!("removing agent {}: {error:#}", self.instance));
        assert!(left.is_empty(), "agent {} left behind {left:?}", self.instance);
        assert!(!saved, "agent {} left {} behind", self.instance, self.state_dir.display());
    }
}
