//! Starts over what an agent of an older layout has left.

use nix::errno::Errno;
use throttle_tests::faults::{Fault, Step};
use throttle_tests::hooks;
use throttle_tests::ledger::Ledger;
use throttle_tests::older::{self, OLDER};
use throttle_tests::require_root;
use throttle_tests::router::End;

use super::{HOST, LINK, MOST, Scene, assert_killed, policy};

/// The other steps of such a start are those of any.
const STEPS: [&str; 4] = [
    "moving a pin",
    "rewriting what an older layout has of hosts",
    "removing a pin",
    "removing the directory of the pins",
];

#[test]
fn taking_over_an_older_layout_goes_on_where_it_was_killed_or_refused() {
    require_root!();
    let mut scene = Scene::new("auto");
    let acknowledged = policy(&scene.lab.agent);
    let instance = scene.lab.agent.instance().to_owned();
    scene.lab.agent.kill().unwrap();
    older::move_back(&instance).unwrap();
    let mut steps = scene.all_steps(|lab| lab.agent.restart().unwrap());
    steps.retain(|step| STEPS.contains(&step.name.as_str()));
    assert!(steps.iter().any(|step| step.name == STEPS[0]), "{steps:?}");
    let steps = scene.thin(&steps);
    let kill = |step: &Step| (step.clone(), Fault::Kill);
    let refuse = |step: &Step| (step.clone(), Fault::Refuse(Errno::EPERM as i32));
    let refused = steps.iter().filter(|step| step.may_be_refused).map(refuse);
    let Scene { faults, lab, .. } = &mut scene;
    let mut ledger = Ledger::open(&lab.router, HOST, MOST).unwrap();
    for (step, fault) in steps.iter().map(kill).chain(refused) {
        lab.agent.kill().unwrap();
        older::move_back(&instance).unwrap();
        let started = faults.bring_about(fault, &step, || lab.agent.restart()).unwrap();
        assert!(started.is_err(), "{step}, {fault:?}: the agent starts all the same");
        assert_killed(&mut lab.agent, &step);
        lab.agent.restart().unwrap();
        assert_eq!(policy(&lab.agent), acknowledged, "{step}, {fault:?}");
        assert!(!older::pins(OLDER, &instance).exists(), "{step}, {fault:?}: something is left");
        let programs = hooks::programs(lab.router.namespace(End::Router), LINK).unwrap();
        assert_eq!(programs.len(), 2, "{step}, {fault:?}: one program at each hook");
        ledger.assert_held(&format_args!("{step}, {fault:?}")).unwrap();
    }
}
