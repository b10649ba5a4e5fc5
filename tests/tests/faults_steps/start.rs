//! Starts: over what an earlier agent has left, and over nothing but saved changes, as after a restart of the
//! machine.

use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use throttle_tests::agent::Agent;
use throttle_tests::faults::{Fault, Step};
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::router::End;

use super::{HOST, LINK, MOST, Scene, assert_killed, chosen, hooks_to_walk, policy};

/// A flood of eight times the limit spends the burst in a seventh of its 250 ms.
const BURST_SPENT: Duration = Duration::from_millis(150);

#[test]
fn a_kill_at_any_step_of_a_restart_leaves_the_limits_in_force() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let acknowledged = policy(&scene.lab.agent);
        scene.lab.agent.kill().unwrap();
        let steps = scene.steps(|lab| lab.agent.restart().unwrap());
        let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
        let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
        for step in steps {
            agent.kill().unwrap();
            faults.arm(step.number, Fault::Kill).unwrap();
            let killed = agent.restart();
            faults.disarm().unwrap();
            assert!(killed.is_err(), "{step}: not reached");
            assert_killed(agent, &step);
            agent.restart().unwrap();
            assert_eq!(policy(agent), acknowledged, "{step}");
            ledger.assert_held(&step).unwrap();
        }
    }
}

#[test]
fn a_kill_at_any_step_of_a_first_start_leaves_the_rest_to_the_next() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let saved = policy(&scene.lab.agent);
        scene.reboot();
        let steps = scene.steps(|lab| lab.agent.restart().unwrap());
        for step in chosen(steps) {
            scene.reboot();
            scene.faults.arm(step.number, Fault::Kill).unwrap();
            let killed = scene.lab.agent.restart();
            scene.faults.disarm().unwrap();
            assert!(killed.is_err(), "{step}: not reached");
            assert_killed(&mut scene.lab.agent, &step);
            scene.lab.agent.restart().unwrap();
            assert_eq!(policy(&scene.lab.agent), saved, "{step}");
            let programs = hooks::programs(scene.lab.router.namespace(End::Router), LINK).unwrap();
            assert_eq!(programs.len(), 2, "{step}: one program at each hook");
        }
        let mut ledger = Ledger::open(&scene.lab.router, HOST, MOST).unwrap();
        sleep(BURST_SPENT);
        ledger.assert_held(&"the last start").unwrap();
    }
}

#[test]
fn a_refusal_at_any_step_of_a_first_start_is_told_and_leaves_nothing() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let saved = policy(&scene.lab.agent);
        scene.reboot();
        let steps = scene.steps(|lab| lab.agent.restart().unwrap());
        scene.reboot();
        let mut refused = 0;
        for step in steps.iter().filter(|step| step.may_be_refused) {
            scene.faults.arm(step.number, Fault::Refuse(Errno::EPERM as i32)).unwrap();
            let started = scene.lab.agent.restart();
            scene.faults.disarm().unwrap();
            if started.is_ok() {
                scene.reboot();
                continue;
            }
            refused += 1;
            assert_told(&scene.lab.agent, step);
            scene.assert_nothing_left(step);
        }
        assert!(refused > 0);
        scene.lab.agent.restart().unwrap();
        assert_eq!(policy(&scene.lab.agent), saved);
    }
}

#[test]
fn a_refusal_at_any_step_of_a_restart_is_told_and_leaves_the_limits_in_force() {
    require_root!();
    let mut scene = Scene::new("auto");
    let acknowledged = policy(&scene.lab.agent);
    scene.lab.agent.kill().unwrap();
    let steps = scene.steps(|lab| lab.agent.restart().unwrap());
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    let mut refused = 0;
    for step in steps.iter().filter(|step| step.may_be_refused) {
        agent.kill().unwrap();
        faults.arm(step.number, Fault::Refuse(Errno::EPERM as i32)).unwrap();
        let started = agent.restart();
        faults.disarm().unwrap();
        if started.is_err() {
            refused += 1;
            assert_told(agent, step);
            let programs = hooks::programs(router.namespace(End::Router), LINK).unwrap();
            assert_eq!(programs.len(), 2, "{step}: one program at each hook");
            agent.restart().unwrap();
        }
        assert_eq!(policy(agent), acknowledged, "{step}");
        ledger.assert_held(step).unwrap();
    }
    assert!(refused > 0);
}

/// The last error that the agent tells is that it was not permitted the step.
fn assert_told(agent: &Agent, step: &Step) {
    let log = agent.log_tail();
    let last = log.lines().rfind(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(last.contains("Operation not permitted"), "{step}: {log}");
}
