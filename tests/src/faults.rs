//! Ends an agent at a step of its work, or has the system refuse that step; counts the steps there are.
//!
//! Steps are marked by `throttle_agent::fault`, and only the program `throttle-agent-faults` has them.

use std::fmt;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::agent;
use crate::folder::Folder;

/// What an agent is asked for may come after its answer: a busy disk takes its time to sync what is saved.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What tests with a choice draw from, in place of chance.
const SEED: &str = "THROTTLE_FAULT_SEED";

/// The build of the agent that has steps, beside [`agent::binary`].
///
/// # Errors
/// Nobody has built it.
pub fn program() -> Result<PathBuf> {
    let path = agent::binary().with_file_name("throttle-agent-faults");
    ensure!(
        path.exists(),
        "{} is missing; hint: build it with `cargo xtask test faults`, or for another profile with `cargo build -p \
         throttle-agent --bin throttle-agent-faults --features fault-points`",
        path.display()
    );
    Ok(path)
}

/// Where to begin what is left to chance: printed, so that it can be asked for again.
pub fn seed() -> u64 {
    let seed = number(SEED).unwrap_or_else(|| RandomState::new().hash_one(()));
    println!("{SEED}={seed}");
    seed
}

/// The number that a variable of the environment has.
///
/// # Panics
/// It has anything else.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// What is to happen at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed.
    Kill,
    /// The step fails with this error's number, if the system might refuse it.
    Refuse(i32),
}

/// A step that a process has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Counted from 1.
    pub number: usize,
    /// What was about to be done, or has been done.
    pub name: String,
    /// Whether the system might refuse it.
    pub may_be_refused: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.may_be_refused { "before" } else { "after" };
        write!(f, "step {}, {side} {}", self.number, self.name)
    }
}

/// What happens to processes that have this in their environment.
#[derive(Debug)]
pub struct Faults(Folder);

impl Faults {
    /// Nothing happens yet.
    pub fn new() -> Result<Self> {
        Folder::new().map(Self)
    }

    /// The variable that makes an agent follow the plan.
    pub fn environment(&self) -> [(&'static str, String); 1] {
        [("THROTTLE_FAULTS", self.0.path().display().to_string())]
    }

    /// Counts steps from now on.
    pub fn record(&self) -> Result<()> {
        self.plan(&[("0", Fault::Kill)])
    }

    /// Has `fault` happen at a step, counted from now on.
    pub fn arm(&self, number: usize, fault: Fault) -> Result<()> {
        self.plan(&[(&number.to_string(), fault)])
    }

    /// Has a fault happen at every step of a name, for each of these; a number is that of a step, counted from now
    /// on.
    pub fn arm_each(&self, plan: &[(&str, Fault)]) -> Result<()> {
        self.plan(plan)
    }

    /// Has `fault` happen at a step of `work`.
    ///
    /// # Errors
    /// The step is not reached, or is another one: `work` does not do what was recorded.
    pub fn bring_about<T>(&self, fault: Fault, step: &Step, work: impl FnOnce() -> T) -> Result<T> {
        let number = step.number;
        self.arm(number, fault)?;
        let done = work();
        let deadline = Instant::now() + PATIENCE;
        while self.reached()?.len() < number && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
        let reached = self.disarm()?;
        ensure!(
            reached.get(number - 1) == Some(step),
            "{step} was not reached, but: {}",
            reached.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        );
        Ok(done)
    }

    /// Nothing happens any more. Returns the steps that were reached.
    pub fn disarm(&self) -> Result<Vec<Step>> {
        remove(self.path("plan"))?;
        self.reached()
    }

    /// The steps that were reached since the last were asked for.
    pub fn reached(&self) -> Result<Vec<Step>> {
        let lines = match fs::read_to_string(self.path("reached")) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.context("reading the steps that were reached")?,
        };
        let step = |(index, line): (usize, &str)| {
            let (name, may_be_refused) = match line.split_once(' ') {
                Some(("before", name)) => (name, true),
                Some(("after", name)) => (name, false),
                Some(_) | None => bail!("{line:?} is no step"),
            };
            Ok(Step { number: index + 1, name: name.to_owned(), may_be_refused })
        };
        // The last one may be under way.
        let whole = lines.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        whole.enumerate().map(step).collect()
    }

    fn plan(&self, plan: &[(&str, Fault)]) -> Result<()> {
        remove(self.path("reached"))?;
        let lines = plan.iter().map(|(step, fault)| match fault {
            Fault::Kill => format!("{step} kill\n"),
            Fault::Refuse(error) => format!("{step} {error}\n"),
        });
        // A process reads a whole plan or none.
        fs::write(self.path("next"), lines.collect::<String>())?;
        Ok(fs::rename(self.path("next"), self.path("plan"))?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn remove(path: PathBuf) -> Result<()> {
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
