//! Detaching one link of two, and all.

use std::process::Command;

use nix::errno::Errno;
use throttle_tests::agent::{Agent, Outcome};
use throttle_tests::faults::{self, Fault, Faults};
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};

use super::{
    HOST, LINK, MOST, Scene, assert_attached_once, assert_cleans_up, assert_killed, hooks_to_walk,
    policy,
};

/// The link that is detached while the other one limits.
const SECOND: &str = "lan1";
const DETACH_SECOND: &str = "detach --iface lan1";

#[test]
fn a_detach_of_one_link_that_is_killed_at_any_step_leaves_the_other_to_the_next_agent() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = with_two_links(hook);
        let [limited, forgotten] = limited_and_forgotten(&mut scene);
        let steps = scene.steps(|lab| drop(lab.agent.done(DETACH_SECOND).unwrap()));
        let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
        let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
        for step in steps {
            restart(agent);
            limit_second(agent);
            assert_eq!(policy(agent), limited, "before {step}");
            let detach_and_die = || {
                let outcome = agent.cli(DETACH_SECOND).unwrap();
                assert_killed(agent, &step);
                outcome
            };
            let outcome = faults.bring_about(Fault::Kill, &step, detach_and_die).unwrap();
            assert_eq!(outcome.code, Some(1), "{step}: {outcome:?}");
            agent.restart().unwrap();
            let found = policy(agent);
            assert!(found == limited || found == forgotten, "{step}: {found}");
            [LINK, SECOND].iter().for_each(|link| assert_attached_once(router, link, &step));
            ledger.assert_held(&step).unwrap();
        }
    }
}

#[test]
fn a_detach_of_one_link_that_is_refused_any_step_is_told_and_completed_by_another() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = with_two_links(hook);
        let [limited, forgotten] = limited_and_forgotten(&mut scene);
        let steps = scene.refusable(|lab| drop(lab.agent.done(DETACH_SECOND).unwrap()));
        let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
        let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
        for step in steps {
            restart(agent);
            limit_second(agent);
            let refuse = Fault::Refuse(Errno::ENOSPC as i32);
            let detach = || agent.cli(DETACH_SECOND).unwrap();
            let outcome = faults.bring_about(refuse, &step, detach).unwrap();
            if outcome.code == Some(0) {
                assert_cleans_up(faults, &step);
            } else {
                assert_eq!(outcome.code, Some(1), "{step}: {outcome:?}");
                assert!(outcome.stderr.contains("No space left on device"), "{step}: {outcome:?}");
                assert_eq!(policy(agent), limited, "{step}");
                agent.done(DETACH_SECOND).unwrap();
            }
            restart(agent);
            assert_eq!(policy(agent), forgotten, "{step}");
            [LINK, SECOND].iter().for_each(|link| assert_attached_once(router, link, &step));
            ledger.assert_held(&step).unwrap();
        }
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
    let apply = scene.apply(0);
    let Scene { faults, lab: Lab { agent, router }, .. } = &mut scene;
    for step in steps {
        if policy(agent) == none {
            agent.done(&apply).unwrap();
        }
        let detach_and_die = || {
            let outcome = agent.cli("detach --all").unwrap();
            assert_killed(agent, &step);
            outcome
        };
        let outcome = faults.bring_about(Fault::Kill, &step, detach_and_die).unwrap();
        agent.restart().unwrap();
        let found = policy(agent);
        let is_whole = found == acknowledged && outcome.code != Some(0);
        assert!(is_whole || found == none, "{step}: {outcome:?} {found}");
        assert_attached_once(router, LINK, &step);
    }
}

#[test]
fn a_detach_that_is_killed_at_any_step_is_completed_by_another() {
    require_root!();
    for hook in hooks_to_walk() {
        let mut scene = Scene::new(hook);
        let words = scene.apply(0);
        scene.lab.agent.kill().unwrap();
        let command = command(&scene.lab, &scene.faults);
        let detach = || Outcome::of(&mut command()).unwrap();
        let steps = scene.steps(|_| assert_eq!(detach().code, Some(0)));
        for step in steps {
            start(&mut scene.lab.agent, &words);
            scene.lab.agent.kill().unwrap();
            let outcome = scene.faults.bring_about(Fault::Kill, &step, detach).unwrap();
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
        let steps = scene.refusable(|lab| lab.agent.detach_all().map(drop).unwrap());
        scene.lab.agent.end().unwrap();
        let refuse = Fault::Refuse(Errno::EPERM as i32);
        for step in steps {
            let Scene { faults, lab: Lab { agent, .. }, .. } = &mut scene;
            start(agent, &words);
            let detach = || agent.cli("detach --all").unwrap();
            let outcome = faults.bring_about(refuse, &step, detach).unwrap();
            agent.end().unwrap();
            if outcome.code == Some(0) {
                assert_cleans_up(faults, &step);
            } else {
                assert!(outcome.stderr.contains("Operation not permitted"), "{step}: {outcome:?}");
            }
            agent.detach_all().unwrap();
            scene.assert_nothing_left(&step);
        }
        start(&mut scene.lab.agent, &words);
    }
}

fn start(agent: &mut Agent, apply: &str) {
    agent.restart().unwrap();
    agent.done(apply).unwrap();
}

/// What was detached by hand is attached again.
fn restart(agent: &mut Agent) {
    agent.kill().unwrap();
    agent.restart().unwrap();
}

fn with_two_links(hook: &str) -> Scene {
    let links = ["--iface", LINK, "--iface", SECOND, "--hook", hook];
    let scene = Scene::with(Router::with_lans(2).unwrap(), &links);
    scene.lab.agent.done(&scene.apply(0)).unwrap();
    scene
}

fn limit_second(agent: &Agent) {
    agent.done("link set lan1 --down 900mbit").unwrap();
}

/// The policy with a limit of the second link, and that of an agent which was told to detach it.
fn limited_and_forgotten(scene: &mut Scene) -> [String; 2] {
    let agent = &mut scene.lab.agent;
    limit_second(agent);
    let limited = policy(agent);
    agent.done(DETACH_SECOND).unwrap();
    restart(agent);
    let forgotten = policy(agent);
    assert_ne!(limited, forgotten);
    limit_second(agent);
    [limited, forgotten]
}

/// `detach --all` of the build that has steps, for when no agent runs.
fn command(lab: &Lab, faults: &Faults) -> impl Fn() -> Command + use<> {
    let instance = lab.agent.instance().to_owned();
    let namespace = lab.router.namespace(End::Router).name().to_owned();
    let state = lab.agent.saved().parent().expect("it is below a folder").to_owned();
    let environment = faults.environment();
    move || {
        let mut command = Command::new(faults::program().unwrap());
        command.args(["--instance", &instance, "detach", "--all", "--netns", &namespace]);
        command.arg("--state-dir").arg(&state).envs(environment.clone());
        command
    }
}
