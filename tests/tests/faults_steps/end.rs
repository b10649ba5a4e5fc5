//! Ends: an agent that is told to end, and one that is told to detach.

use std::process::Command;

use nix::errno::Errno;
use throttle_tests::agent::{Agent, Outcome};
use throttle_tests::faults::{Fault, Faults};
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::router::End;

use super::{
    HOST, LINK, MOST, Scene, assert_killed, chosen, distinct, hooks_to_walk, policy, program,
};

#[test]
fn a_kill_at_any_step_of_a_shutdown_leaves_the_limits_in_force() {
    require_root!();
    let mut scene = Scene::new("auto");
    let acknowledged = policy(&scene.lab.agent);
    let steps = scene.steps(|lab| lab.agent.end().unwrap());
    scene.lab.agent.restart().unwrap();
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    for step in steps {
        faults.arm(step.number, Fault::Kill).unwrap();
        agent.end().unwrap();
        let reached = faults.disarm().unwrap();
        assert_eq!(reached.len(), step.number, "{step}: not reached");
        agent.restart().unwrap();
        assert_eq!(policy(agent), acknowledged, "{step}");
        ledger.assert_held(&step).unwrap();
    }
}

#[test]
fn a_detach_that_is_killed_at_any_step_leaves_a_whole_policy_or_none_to_the_next_agent() {
    require_root!();
    let mut scene = Scene::new("auto");
    let acknowledged = policy(&scene.lab.agent);
    let steps = scene.steps(|lab| lab.agent.detach_all().map(drop).unwrap());
    scene.lab.agent.end().unwrap();
    scene.lab.agent.restart().unwrap();
    let none = policy(&scene.lab.agent);
    for step in chosen(steps) {
        if policy(&scene.lab.agent) == none {
            scene.lab.agent.done(&scene.apply(0)).unwrap();
        }
        scene.faults.arm(step.number, Fault::Kill).unwrap();
        let outcome = scene.lab.agent.cli("detach --all").unwrap();
        assert_killed(&mut scene.lab.agent, &step);
        scene.faults.disarm().unwrap();
        scene.lab.agent.restart().unwrap();
        let found = policy(&scene.lab.agent);
        let is_whole = found == acknowledged && outcome.code != Some(0);
        assert!(is_whole || found == none, "{step}: {outcome:?} {found}");
        let programs = hooks::programs(scene.lab.router.namespace(End::Router), LINK).unwrap();
        assert_eq!(programs.len(), 2, "{step}: one program at each hook");
    }
}

#[test]
fn a_detach_that_is_killed_at_any_step_is_completed_by_another() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let words = scene.apply(0);
        let detach = |lab: &Lab, faults: &Faults| Outcome::of(&mut command(lab, faults)).unwrap();
        scene.lab.agent.kill().unwrap();
        scene.faults.record().unwrap();
        assert_eq!(detach(&scene.lab, &scene.faults).code, Some(0));
        let steps = distinct(scene.faults.disarm().unwrap());
        for step in chosen(steps) {
            start(&mut scene.lab.agent, &words);
            scene.lab.agent.kill().unwrap();
            scene.faults.arm(step.number, Fault::Kill).unwrap();
            let outcome = detach(&scene.lab, &scene.faults);
            scene.faults.disarm().unwrap();
            assert_eq!(outcome.code, None, "{step}: {outcome:?}");
            scene.lab.agent.detach_all().unwrap();
            scene.assert_nothing_left(&step);
            assert!(!scene.lab.agent.saved().exists(), "{step}");
        }
        start(&mut scene.lab.agent, &words);
    }
}

#[test]
fn a_detach_that_is_refused_any_step_is_told_and_completed_by_another() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let words = scene.apply(0);
        let steps = scene.steps(|lab| lab.agent.detach_all().map(drop).unwrap());
        scene.lab.agent.end().unwrap();
        let steps = steps.into_iter().filter(|step| step.may_be_refused).collect();
        for step in chosen(steps) {
            start(&mut scene.lab.agent, &words);
            scene.faults.arm(step.number, Fault::Refuse(Errno::EPERM as i32)).unwrap();
            let outcome = scene.lab.agent.cli("detach --all").unwrap();
            scene.faults.disarm().unwrap();
            scene.lab.agent.end().unwrap();
            assert_ne!(outcome.code, Some(0), "{step}: {outcome:?}");
            assert!(outcome.stderr.contains("Operation not permitted"), "{step}: {outcome:?}");
            scene.lab.agent.detach_all().unwrap();
            scene.assert_nothing_left(&step);
        }
        start(&mut scene.lab.agent, &words);
    }
}

fn start(agent: &mut Agent, apply: &str) {
    agent.restart().unwrap();
    agent.done(apply).unwrap();
}

/// `detach --all` of the build that has steps, for when no agent runs.
fn command(lab: &Lab, faults: &Faults) -> Command {
    let mut command = Command::new(program());
    command.args(["--instance", lab.agent.instance(), "detach", "--all", "--netns"]);
    command.arg(lab.router.namespace(End::Router).name());
    command.arg("--state-dir").arg(lab.agent.saved().parent().expect("it is below a folder"));
    command.envs(faults.environment());
    command
}
