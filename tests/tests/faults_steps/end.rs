//! The end of an agent that is told to end.

use throttle_tests::faults::Fault;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;

use super::{HOST, LINK, MOST, Scene, assert_attached_once, policy};

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
        faults.bring_about(Fault::Kill, &step, || agent.end().unwrap()).unwrap();
        agent.restart().unwrap();
        assert_eq!(policy(agent), acknowledged, "{step}");
        assert_attached_once(router, LINK, &step);
        ledger.assert_held(&step).unwrap();
    }
}
