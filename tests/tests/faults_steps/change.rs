//! Changes of the policy.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use nix::errno::Errno;
use throttle_tests::agent::{Agent, Outcome};
use throttle_tests::faults::{Fault, Step};
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::restrict::is_full;
use throttle_tests::router::Router;

use super::{
    HOST, LINK, MOST, POLICIES, Scene, assert_cleans_up, assert_killed, hooks_to_walk, policy,
};

/// Commands that change an entry: what comes before, what is walked, and what takes that back.
const COMMANDS: [[&str; 3]; 7] = [
    ["", "limit set 10.77.0.10/32 --down 5mbit", "limit set 10.77.0.10/32 --down 4990kbit"],
    ["", "limit set 10.9.0.0/24 --down 5mbit", "limit del 10.9.0.0/24"],
    [
        "limit set 10.6.0.0/24 --down 5mbit",
        "limit del 10.6.0.0/24",
        "limit set 10.6.0.0/24 --down 5mbit",
    ],
    ["", "group set acme --down 800mbit", "group set acme --down 900mbit"],
    ["group set spare --down 1gbit", "group del spare", "group set spare --down 1gbit"],
    ["", "link set lan0 --down 800mbit", "link set lan0 --down 900mbit"],
    ["", "link set lan0 --overhead 18b", "link set lan0 --down 900mbit"],
];

/// What a command exits with that has nothing to delete.
const NO_SUCH: i32 = 3;

#[test]
fn a_kill_at_any_step_of_a_command_leaves_the_entry_as_before_or_as_asked_for() {
    require_root!();
    for hook in hooks_to_walk() {
        let scene = Scene::new(hook);
        let changes = COMMANDS.map(|words| Change::of_command(&scene, words));
        kill_at_each_step(scene, &changes);
    }
}

#[test]
fn a_kill_at_any_step_of_an_apply_leaves_the_policy_as_before_or_as_asked_for() {
    require_root!();
    for scene in scenes_of_policies() {
        let change = Change::of_apply(&scene);
        kill_at_each_step(scene, &[change]);
    }
}

#[test]
fn a_kill_at_any_step_of_a_reload_leaves_the_policy_as_before_or_as_the_file() {
    require_root!();
    let scene = scene_with_file();
    let change = Change::of_reload(&scene);
    kill_at_each_step(scene, &[change]);
}

#[test]
fn a_refusal_at_any_step_of_a_command_changes_nothing() {
    require_root!();
    let scene = Scene::new("auto");
    let changes = COMMANDS.map(|words| Change::of_command(&scene, words));
    refuse_each_step(scene, &changes);
}

#[test]
fn a_refusal_at_any_step_of_an_apply_changes_nothing() {
    require_root!();
    for scene in scenes_of_policies() {
        let change = Change::of_apply(&scene);
        refuse_each_step(scene, &[change]);
    }
}

#[test]
fn a_refusal_at_any_step_of_a_reload_changes_nothing() {
    require_root!();
    let scene = scene_with_file();
    let change = Change::of_reload(&scene);
    refuse_each_step(scene, &[change]);
}

/// What leads to one policy and to another.
struct Change {
    /// The file that an agent reads at its start and in a reload, and what it is to have.
    config: Option<(PathBuf, [&'static str; 2])>,
    words: [String; 2],
}

impl Change {
    fn of_command(scene: &Scene, [before, there, back]: [&str; 3]) -> Self {
        if !before.is_empty() {
            scene.lab.agent.done(before).unwrap();
        }
        Self { config: None, words: [back.to_owned(), there.to_owned()] }
    }

    fn of_apply(scene: &Scene) -> Self {
        Self { config: None, words: [scene.apply(0), scene.apply(1)] }
    }

    fn of_reload(scene: &Scene) -> Self {
        let config = scene.files.path().join("config");
        Self { config: Some((config, POLICIES)), words: ["reload"; 2].map(str::to_owned) }
    }

    /// Has the next agent, too, begin with the policy of this number.
    fn prepare(&self, number: usize) {
        if let Some((path, texts)) = &self.config {
            fs::write(path, texts[number]).unwrap();
        }
    }

    /// Asks for the policy of this number.
    fn ask(&self, agent: &Agent, number: usize) -> Outcome {
        self.prepare(number);
        agent.cli(&self.words[number]).unwrap()
    }

    /// The policy of this number, which is in force now.
    fn put_in_force(&self, agent: &Agent, number: usize) -> String {
        let outcome = self.ask(agent, number);
        // There is nothing to delete where it is in force already.
        assert!(matches!(outcome.code, Some(0 | NO_SUCH)), "{outcome:?}");
        policy(agent)
    }
}

/// Scenes whose policies are put in force by a file: few limits, which are saved as a line of the journal, and where
/// there is time so many that they are saved as a snapshot.
fn scenes_of_policies() -> impl Iterator<Item = Scene> {
    [false, true].into_iter().filter(|is_large| is_full() || !is_large).map(|is_large| {
        let scene = Scene::new("auto");
        for (number, few) in POLICIES.iter().enumerate().filter(|_| is_large) {
            let limit = |host| {
                format!("[[limit]]\nprefix = \"10.2{number}.0.{host}/32\"\ndown = \"1mbit\"\n")
            };
            let many: String = (0..101).map(limit).collect();
            fs::write(scene.files.path().join(number.to_string()), few.to_string() + &many)
                .unwrap();
        }
        scene
    })
}

/// An agent whose policy is a file's.
fn scene_with_file() -> Scene {
    Scene::with(Router::new().unwrap(), &["--iface", LINK, "--config", "FILE"])
}

/// A step of a change, and the policies before and after that.
struct Walked<'a> {
    change: &'a Change,
    step: Step,
    old: String,
    new: String,
}

impl fmt::Display for Walked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.change.words[1], self.step)
    }
}

/// The steps to walk of each change, all of which are taken back.
fn steps<'a>(scene: &mut Scene, changes: &'a [Change]) -> Vec<Walked<'a>> {
    // Once there and back: what is saved for the first time takes other steps.
    for (change, number) in changes.iter().flat_map(|change| [(change, 1), (change, 0)]) {
        change.put_in_force(&scene.lab.agent, number);
    }
    let mut all = Vec::new();
    for change in changes {
        let mut new = String::new();
        let steps = scene.steps(|lab| new = change.put_in_force(&lab.agent, 1));
        let old = change.put_in_force(&scene.lab.agent, 0);
        assert_ne!(old, new);
        let walked = |step| Walked { change, step, old: old.clone(), new: new.clone() };
        all.extend(steps.into_iter().map(walked));
    }
    all
}

/// Kills the agent at each step of the changes.
fn kill_at_each_step(mut scene: Scene, changes: &[Change]) {
    let steps = steps(&mut scene, changes);
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    for what in steps {
        let Walked { change, step, old, new } = &what;
        let ask_and_die = || {
            let outcome = change.ask(agent, 1);
            assert_killed(agent, step);
            outcome
        };
        let outcome = faults.bring_about(Fault::Kill, step, ask_and_die).unwrap();
        assert_eq!(outcome.code, Some(1), "{what}: {outcome:?}");
        assert!(outcome.stderr.contains("hint: "), "{what}: {outcome:?}");
        agent.restart().unwrap();
        let found = policy(agent);
        assert!(found == *old || found == *new, "{what}: neither old nor new: {found}");
        assert_eq!(change.put_in_force(agent, 0), *old, "{what}, taken back");
        ledger.assert_held(&what).unwrap();
    }
}

/// Has the system refuse each step of the changes.
fn refuse_each_step(mut scene: Scene, changes: &[Change]) {
    let steps = steps(&mut scene, changes);
    let steps: Vec<_> = steps.into_iter().filter(|what| what.step.may_be_refused).collect();
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    for what in steps {
        let Walked { change, step, old, new } = &what;
        let refuse = Fault::Refuse(Errno::ENOSPC as i32);
        let outcome = faults.bring_about(refuse, step, || change.ask(agent, 1)).unwrap();
        let in_force = if outcome.code == Some(0) {
            assert_cleans_up(faults, step);
            new
        } else {
            assert_eq!(outcome.code, Some(1), "{what}: {outcome:?}");
            assert!(outcome.stderr.contains("No space left on device"), "{what}: {outcome:?}");
            change.prepare(0);
            old
        };
        assert_eq!(policy(agent), *in_force, "{what}");
        // What is saved is what is in force.
        agent.kill().unwrap();
        agent.restart().unwrap();
        assert_eq!(policy(agent), *in_force, "{what}, after a restart");
        assert_eq!(change.put_in_force(agent, 1), *new, "{what}, once there was room again");
        assert_eq!(change.put_in_force(agent, 0), *old, "{what}, taken back");
        ledger.assert_held(&what).unwrap();
    }
}
