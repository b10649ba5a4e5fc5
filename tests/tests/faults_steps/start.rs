//! Starts: over what an earlier agent has left, and over nothing but saved changes, as after a restart of the
//! machine.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use throttle_tests::agent::Agent;
use throttle_tests::faults::{Fault, Step};
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::restrict::is_full;

use super::{
    HOST, LINK, MOST, Scene, assert_attached_once, assert_cleans_up, assert_killed, hooks_to_walk,
    policy,
};

/// A flood of eight times the limit spends the burst in a seventh of its 250 ms.
pub(super) const BURST_SPENT: Duration = Duration::from_millis(150);

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
            faults.bring_about(Fault::Kill, &step, || start_and_die(agent, &step)).unwrap();
            agent.restart().unwrap();
            assert_eq!(policy(agent), acknowledged, "{step}");
            assert_attached_once(router, LINK, &step);
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
        for step in steps {
            scene.reboot();
            let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
            faults.bring_about(Fault::Kill, &step, || start_and_die(agent, &step)).unwrap();
            agent.restart().unwrap();
            assert_eq!(policy(agent), saved, "{step}");
            assert_attached_once(router, LINK, &step);
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
        let steps = scene.refusable(|lab| lab.agent.restart().unwrap());
        scene.reboot();
        let refuse = Fault::Refuse(Errno::EPERM as i32);
        for step in steps {
            let Scene { faults, lab: Lab { agent, .. }, .. } = &mut scene;
            if faults.bring_about(refuse, &step, || agent.restart()).unwrap().is_ok() {
                assert_cleans_up(faults, &step);
                scene.reboot();
            } else {
                assert_told(agent, &step);
                scene.assert_nothing_left(&step);
            }
        }
        scene.lab.agent.restart().unwrap();
        assert_eq!(policy(&scene.lab.agent), saved);
    }
}

#[test]
fn a_refusal_at_any_step_of_a_restart_is_told_and_leaves_the_limits_in_force() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let acknowledged = policy(&scene.lab.agent);
        scene.lab.agent.kill().unwrap();
        let steps = scene.refusable(|lab| lab.agent.restart().unwrap());
        let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
        let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
        let refuse = Fault::Refuse(Errno::EPERM as i32);
        for step in steps {
            agent.kill().unwrap();
            if faults.bring_about(refuse, &step, || agent.restart()).unwrap().is_ok() {
                assert_cleans_up(faults, &step);
            } else {
                assert_told(agent, &step);
                assert_attached_once(router, LINK, &step);
                agent.restart().unwrap();
            }
            assert_eq!(policy(agent), acknowledged, "{step}");
            ledger.assert_held(&step).unwrap();
        }
    }
}

#[test]
fn what_is_in_force_and_cannot_be_saved_at_a_start_is_saved_with_the_next_change() {
    require_root!();
    let mut scene = Scene::new("auto");
    let acknowledged = policy(&scene.lab.agent);
    let forget = |agent: &mut Agent| {
        agent.kill().unwrap();
        fs::remove_dir_all(agent.saved()).unwrap();
    };
    forget(&mut scene.lab.agent);
    let steps = scene.all_steps(|lab| lab.agent.restart().unwrap());
    let Scene { faults, lab: Lab { agent, .. }, random, .. } = &mut scene;
    let is_first = |step: &Step| step.name == "making the directory of saved changes";
    let is_last = |step: &Step| step.name == "syncing the directory of saved changes";
    let first = steps.iter().position(is_first).unwrap();
    let last = steps.iter().rposition(is_last).unwrap();
    let mut saving = &steps[first..=last];
    assert!(saving.len() > 1, "{saving:?}");
    if !is_full() {
        let chosen = random.index(saving.len());
        saving = &saving[chosen..=chosen];
    }
    let refuse = Fault::Refuse(Errno::ENOSPC as i32);
    for step in saving {
        forget(agent);
        faults.bring_about(refuse, step, || agent.restart()).unwrap().unwrap();
        assert!(agent.log_tail().contains("No space left on device"), "{step}");
        assert_eq!(policy(agent), acknowledged, "{step}");
        agent.done("limit set 10.9.0.0/24 --down 5mbit").unwrap();
        let changed = policy(agent);
        agent.kill().unwrap();
        agent.restart().unwrap();
        assert_eq!(policy(agent), changed, "{step}, after a restart");
        agent.done("limit del 10.9.0.0/24").unwrap();
    }
}

/// Starts an agent that is killed at the step.
pub(super) fn start_and_die(agent: &mut Agent, step: &Step) {
    assert!(agent.restart().is_err(), "{step}: not reached");
    assert_killed(agent, step);
}

/// The last error that the agent tells is that it was not permitted the step.
pub(super) fn assert_told(agent: &Agent, step: &Step) {
    let log = agent.log_tail();
    let last = log.lines().rfind(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(last.contains("Operation not permitted"), "{step}: {log}");
}
