//! Changes of the policy.

use std::fs;

use nix::errno::Errno;
use throttle_tests::faults::Fault;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::restrict::is_full;

use super::{HOST, MOST, POLICIES, Scene, assert_killed, policy};

#[test]
fn a_kill_at_any_step_of_limit_set_leaves_the_old_limit_or_the_new_one() {
    require_root!();
    kill_at_each_step(Scene::new("auto"), limit_set);
}

#[test]
fn a_kill_at_any_step_of_an_apply_leaves_the_old_policy_or_the_new_one() {
    require_root!();
    kill_at_each_step(Scene::new("auto"), Scene::apply);
    if is_full() {
        kill_at_each_step(with_large_policies(), Scene::apply);
    }
}

#[test]
fn a_refusal_at_any_step_of_limit_set_changes_nothing() {
    require_root!();
    refuse_each_step(limit_set);
}

#[test]
fn a_refusal_at_any_step_of_link_set_changes_nothing() {
    require_root!();
    refuse_each_step(|_, number| {
        format!("link set lan0 --down {}", ["800mbit", "900mbit"][number])
    });
}

#[test]
fn a_refusal_at_any_step_of_an_apply_changes_nothing() {
    require_root!();
    refuse_each_step(Scene::apply);
}

/// Policies with so many limits that their change is saved as a snapshot.
fn with_large_policies() -> Scene {
    let scene = Scene::new("auto");
    for (number, few) in POLICIES.iter().enumerate() {
        let limit =
            |host| format!("[[limit]]\nprefix = \"10.2{number}.0.{host}/32\"\ndown = \"1mbit\"\n");
        let many: String = (0..250).map(limit).collect();
        fs::write(scene.files.path().join(number.to_string()), few.to_string() + &many).unwrap();
    }
    scene
}

/// Words that give the host the limit that it has by one of both policies.
fn limit_set(_: &Scene, number: usize) -> String {
    format!("limit set 10.77.0.10/32 --down {} --group acme", ["4900kbit", "5mbit"][number])
}

/// Kills the agent at each step of a change from one state to the other. `words` lead to each of both.
fn kill_at_each_step(mut scene: Scene, words: impl Fn(&Scene, usize) -> String) {
    let words = [0, 1].map(|number| words(&scene, number));
    let policies = [1, 0].map(|number| put_in_force(&scene.lab, &words[number]));
    let policies = [&policies[1], &policies[0]];
    assert_ne!(policies[0], policies[1]);
    let steps = scene.steps(|lab| lab.agent.done(&words[1]).map(drop).unwrap());
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    let mut now = 1;
    for step in steps {
        faults.arm(step.number, Fault::Kill).unwrap();
        let outcome = agent.cli(&words[1 - now]).unwrap();
        assert_killed(agent, &step);
        faults.disarm().unwrap();
        assert_eq!(outcome.code, Some(1), "{step}: {outcome:?}");
        assert!(outcome.stderr.contains("hint: "), "{step}: {outcome:?}");
        agent.restart().unwrap();
        let found = policy(agent);
        now = policies.iter().position(|policy| **policy == found).unwrap_or_else(|| {
            panic!("{step}: neither the old policy nor the new one: {found}");
        });
        ledger.assert_held(&step).unwrap();
    }
}

/// Has the system refuse each step of a change.
fn refuse_each_step(words: impl Fn(&Scene, usize) -> String) {
    let mut scene = Scene::new("auto");
    let words = [0, 1].map(|number| words(&scene, number));
    let policies = [1, 0].map(|number| put_in_force(&scene.lab, &words[number]));
    let policies = [&policies[1], &policies[0]];
    let steps = scene.steps(|lab| lab.agent.done(&words[1]).map(drop).unwrap());
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    let (mut now, mut refused) = (1, 0);
    for step in steps.iter().filter(|step| step.may_be_refused) {
        faults.arm(step.number, Fault::Refuse(Errno::ENOSPC as i32)).unwrap();
        let outcome = agent.cli(&words[1 - now]).unwrap();
        faults.disarm().unwrap();
        if outcome.code == Some(0) {
            // What only cleans up.
            now = 1 - now;
        } else {
            assert_eq!(outcome.code, Some(1), "{step}: {outcome:?}");
            assert!(outcome.stderr.contains("No space left on device"), "{step}: {outcome:?}");
            refused += 1;
        }
        assert_eq!(policy(agent), *policies[now], "{step}");
        // What is saved is what is in force.
        agent.kill().unwrap();
        agent.restart().unwrap();
        assert_eq!(policy(agent), *policies[now], "{step}, after a restart");
        now = 1 - now;
        agent.done(&words[now]).unwrap();
        assert_eq!(policy(agent), *policies[now], "{step}, once there was room again");
        ledger.assert_held(step).unwrap();
    }
    assert!(refused > 0);
}

fn put_in_force(lab: &Lab, words: &str) -> String {
    lab.agent.done(words).unwrap();
    policy(&lab.agent)
}
