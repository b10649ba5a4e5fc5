//! An agent that is killed at any step of its work, or refused it: limits stay in force, the policy is one that
//! was acknowledged or asked for, the next agent goes on, and a clean end leaves nothing.

mod change;
mod end;
mod start;

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_tests::agent::Agent;
use throttle_tests::faults::{self, Faults, Step};
use throttle_tests::folder::Folder;
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::restrict::is_full;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const LINK: &str = "lan0";
/// The higher of both limits that [`POLICIES`] have for the host.
const MOST: u64 = 5 * MBIT;
/// Two policies that differ in a limit, in a group, and in what there is.
const POLICIES: [&str; 2] = [
    "[[group]]\nname = \"acme\"\ndown = \"900mbit\"\n\
     [[limit]]\nprefix = \"10.77.0.10/32\"\ndown = \"4900kbit\"\ngroup = \"acme\"\n\
     [[limit]]\nprefix = \"10.8.0.0/24\"\ndown = \"1mbit\"\n",
    "[[group]]\nname = \"acme\"\ndown = \"800mbit\"\n\
     [[limit]]\nprefix = \"10.77.0.10/32\"\ndown = \"5mbit\"\ngroup = \"acme\"\n\
     [[limit]]\nprefix = \"10.9.0.0/24\"\ndown = \"1mbit\"\n",
];
/// What a process is asked for may come after its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An agent with steps, where it runs, and files with [`POLICIES`].
struct Scene {
    faults: Faults,
    files: Folder,
    lab: Lab,
}

impl Scene {
    /// An agent that enforces the first policy by a link that is attached with `hook`.
    fn new(hook: &str) -> Self {
        let (faults, files, router) =
            (Faults::new().unwrap(), Folder::new().unwrap(), Router::new().unwrap());
        for (number, policy) in POLICIES.iter().enumerate() {
            fs::write(files.path().join(number.to_string()), policy).unwrap();
        }
        let namespace = router.namespace(End::Router);
        let arguments = ["--iface", LINK, "--hook", hook];
        let agent =
            Agent::start_program(&program(), namespace, &arguments, &faults.environment()).unwrap();
        let scene = Self { faults, files, lab: Lab { agent, router } };
        scene.lab.agent.done(&scene.apply(0)).unwrap();
        scene
    }

    /// What puts a policy in force.
    fn apply(&self, number: usize) -> String {
        format!("apply {}", self.files.path().join(number.to_string()).display())
    }

    /// The steps of `work`, which is done.
    fn steps(&mut self, work: impl FnOnce(&mut Lab)) -> Vec<Step> {
        self.faults.record().unwrap();
        work(&mut self.lab);
        let steps = self.faults.disarm().unwrap();
        assert!(!steps.is_empty(), "the agent has no steps: it was built without fault-points");
        steps.iter().for_each(|step| println!("{step}"));
        distinct(steps)
    }

    /// Ends the agent, and takes away what does not survive a restart of the machine.
    fn reboot(&mut self) {
        self.lab.agent.end().unwrap();
        let paths = leftovers::of_instance(self.lab.agent.instance());
        paths.iter().for_each(|path| leftovers::remove(path));
        self.assert_nothing_left(&"removing the pins");
    }

    /// There is nothing of the instance but what it has saved.
    fn assert_nothing_left(&self, after: &dyn std::fmt::Display) {
        let left = leftovers::of_instance(self.lab.agent.instance());
        assert!(left.is_empty(), "{after}: {left:?} left, log:\n{}", self.lab.agent.log_tail());
        let namespace = self.lab.router.namespace(End::Router);
        let deadline = Instant::now() + PATIENCE;
        // The kernel detaches a moment after the last use.
        while !hooks::programs(namespace, LINK).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "{after}: programs are still attached");
            sleep(Duration::from_millis(10));
        }
        assert!(!hooks::has_clsact(namespace, LINK).unwrap(), "{after}");
    }
}

/// The ways to attach that are walked.
fn hooks_to_walk() -> &'static [&'static str] {
    if is_full() { &["auto", "clsact"] } else { &["auto"] }
}

/// Of a long walk, every third step where there is no time for all.
fn chosen(steps: Vec<Step>) -> impl Iterator<Item = Step> {
    let every = if is_full() { 1 } else { 3 };
    steps.into_iter().step_by(every)
}

/// The agent with steps.
fn program() -> PathBuf {
    faults::program().unwrap()
}

/// All that a policy has.
fn policy(agent: &Agent) -> String {
    let words = ["limit list", "group list", "link list"];
    words.map(|words| agent.done(&format!("--json {words}")).unwrap()).concat()
}

/// Leaves out steps that are like others: of one name, those after the first few, but for the last.
fn distinct(steps: Vec<Step>) -> Vec<Step> {
    let alike = if is_full() { 3 } else { 1 };
    let names: Vec<_> = steps.iter().map(|step| (step.name.clone(), step.may_be_refused)).collect();
    let is_kept = |index: usize| {
        let same = |name: &&(String, bool)| **name == names[index];
        names[..index].iter().filter(same).count() < alike
            || !names[index + 1..].contains(&names[index])
    };
    steps
        .into_iter()
        .enumerate()
        .filter(|(index, _)| is_kept(*index))
        .map(|(_, step)| step)
        .collect()
}

/// The process reaches the step, at which it is killed.
fn assert_killed(agent: &mut Agent, step: &Step) {
    let deadline = Instant::now() + PATIENCE;
    while agent.is_running().unwrap() {
        assert!(Instant::now() < deadline, "{step}: not reached: {}", agent.log_tail());
        sleep(Duration::from_millis(10));
    }
}
