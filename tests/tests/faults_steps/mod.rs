//! An agent that is killed at any step of its work, or refused it: limits stay in force, the policy is one that
//! was acknowledged or asked for, the next agent goes on, and a clean end leaves nothing.

mod change;
mod detach;
mod end;
mod machine;
mod older;
mod refused;
mod start;

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_tests::agent::Agent;
use throttle_tests::faults::{self, Faults, PATIENCE, Step};
use throttle_tests::folder::Folder;
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::random::Random;
use throttle_tests::restrict::is_full;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const LINK: &str = "lan0";
/// The higher of both limits that [`POLICIES`] have for the host, and hardly more than the other one.
const MOST: u64 = 5 * MBIT;
/// Two policies that differ in a limit, in a group, and in what there is.
const POLICIES: [&str; 2] = [
    "[[group]]\nname = \"acme\"\ndown = \"900mbit\"\n\
     [[limit]]\nprefix = \"10.77.0.10/32\"\ndown = \"4990kbit\"\ngroup = \"acme\"\n\
     [[limit]]\nprefix = \"10.8.0.0/24\"\ndown = \"1mbit\"\n",
    "[[group]]\nname = \"acme\"\ndown = \"800mbit\"\n\
     [[limit]]\nprefix = \"10.77.0.10/32\"\ndown = \"5mbit\"\ngroup = \"acme\"\n\
     [[limit]]\nprefix = \"10.9.0.0/24\"\ndown = \"1mbit\"\n",
];
/// The steps whose refusal does not refuse the work, each with one that comes before: what they leave is of no use,
/// and does no harm.
const CLEANS_UP: [[&str; 2]; 3] = [
    ["taking the policy over", "writing a link"],
    ["putting the change in force", "removing what a snapshot holds"],
    ["putting the change in force", "cutting the journal"],
];
/// As many steps of one name are walked at most: writing a hundred limits is the same a hundred times.
const MOST_ALIKE: usize = 24;

/// An agent with steps, where it runs, and files with [`POLICIES`].
struct Scene {
    faults: Faults,
    files: Folder,
    lab: Lab,
    random: Random,
}

impl Scene {
    /// An agent that enforces the first policy by a link that is attached with `hook`.
    fn new(hook: &str) -> Self {
        let scene = Self::with(Router::new().unwrap(), &["--iface", LINK, "--hook", hook]);
        scene.lab.agent.done(&scene.apply(0)).unwrap();
        scene
    }

    /// An agent with these arguments of `run`, among them `FILE` for a copy of the first policy.
    fn with(router: Router, arguments: &[&str]) -> Self {
        let (faults, files) = (Faults::new().unwrap(), Folder::new().unwrap());
        for (number, policy) in POLICIES.iter().enumerate() {
            fs::write(files.path().join(number.to_string()), policy).unwrap();
        }
        let config = files.path().join("config");
        fs::write(&config, POLICIES[0]).unwrap();
        let config = config.display().to_string();
        let arguments = arguments.iter().map(|word| if *word == "FILE" { &config } else { *word });
        let agent = Agent::start_program(
            &faults::program().unwrap(),
            router.namespace(End::Router),
            &arguments.collect::<Vec<_>>(),
            &faults.environment(),
        );
        let lab = Lab { agent: agent.unwrap(), router };
        Self { faults, files, lab, random: Random::new(faults::seed()) }
    }

    /// What puts a policy in force.
    fn apply(&self, number: usize) -> String {
        format!("apply {}", self.files.path().join(number.to_string()).display())
    }

    /// The steps to walk of `work`, which is done: as [`most`] says in a full run, and as [`few`] says in others.
    fn steps(&mut self, work: impl FnOnce(&mut Lab)) -> Vec<Step> {
        let steps = self.all_steps(work);
        self.thin(&steps)
    }

    /// Of these what [`most`] says in a full run, and what [`few`] says in others.
    fn thin(&mut self, steps: &[Step]) -> Vec<Step> {
        let chosen = if is_full() { most } else { few };
        let walked = chosen(steps, &mut self.random);
        for step in steps {
            println!("{step}{}", if walked.contains(step) { ", walked" } else { "" });
        }
        walked
    }

    /// The steps of `work`, which is done.
    fn all_steps(&mut self, work: impl FnOnce(&mut Lab)) -> Vec<Step> {
        self.faults.record().unwrap();
        work(&mut self.lab);
        let steps = self.faults.disarm().unwrap();
        assert!(!steps.is_empty(), "the agent has no steps: it was built without fault-points");
        steps
    }

    /// The steps to walk of those of `work` that the system might refuse.
    fn refusable(&mut self, work: impl FnOnce(&mut Lab)) -> Vec<Step> {
        let mut steps = self.all_steps(work);
        steps.retain(|step| step.may_be_refused);
        self.thin(&steps)
    }

    /// Ends the agent, and takes away what does not survive a restart of the machine.
    fn reboot(&mut self) {
        self.lab.agent.end().unwrap();
        let paths = leftovers::of_instance(self.lab.agent.instance());
        paths.iter().for_each(|path| leftovers::remove(path));
        let namespace = self.lab.router.namespace(End::Router);
        if hooks::has_clsact(namespace, LINK).unwrap() {
            namespace.tc(&format!("qdisc del dev {LINK} clsact")).unwrap();
        }
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

/// What a full run walks of some steps: all, but of those of one name [`MOST_ALIKE`] by chance.
fn most(steps: &[Step], random: &mut Random) -> Vec<Step> {
    by_chance(steps, MOST_ALIKE, random)
}

/// What a short run walks of some steps: of those of one name one by chance, and of these every sixth, from one by
/// chance on.
fn few(steps: &[Step], random: &mut Random) -> Vec<Step> {
    const STRIDE: usize = 6;
    let chosen = by_chance(steps, 1, random);
    let first = random.index(STRIDE.min(chosen.len()));
    chosen.into_iter().skip(first).step_by(STRIDE).collect()
}

/// The steps without some by chance, so that no more than `most` have one name.
fn by_chance(steps: &[Step], most: usize, random: &mut Random) -> Vec<Step> {
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    for step in steps {
        alike.entry((&step.name, step.may_be_refused)).or_default().push(step);
    }
    for alike in alike.values_mut() {
        while alike.len() > most {
            alike.swap_remove(random.index(alike.len()));
        }
    }
    let mut chosen: Vec<_> = alike.into_values().flatten().cloned().collect();
    chosen.sort_by_key(|step| step.number);
    chosen
}

/// All that a policy has.
fn policy(agent: &Agent) -> String {
    let words = ["limit list", "group list", "link list"];
    words.map(|words| agent.done(&format!("--json {words}")).unwrap()).concat()
}

/// A refusal that the work went on after was one that it may go on after.
fn assert_cleans_up(faults: &Faults, step: &Step) {
    let reached = faults.reached().unwrap();
    let is_meant = |[before, name]: &[&str; 2]| {
        *name == step.name && reached[..step.number].iter().any(|reached| reached.name == *before)
    };
    assert!(CLEANS_UP.iter().any(is_meant), "{step}: refused, and nobody is told");
}

/// There is one program at each hook of a link.
fn assert_attached_once(router: &Router, link: &str, after: &Step) {
    let programs = hooks::programs(router.namespace(End::Router), link).unwrap();
    assert_eq!(programs.len(), 2, "{after}: one program at each hook of {link}");
}

/// The process reaches the step, at which it is killed.
fn assert_killed(agent: &mut Agent, step: &Step) {
    let deadline = Instant::now() + PATIENCE;
    while agent.is_running().unwrap() {
        assert!(Instant::now() < deadline, "{step}: not reached: {}", agent.log_tail());
        sleep(Duration::from_millis(10));
    }
}
