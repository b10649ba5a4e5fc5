//! A start on a machine where nobody has mounted the BPF file system, and that has group `throttle`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::thread::sleep;

use nix::errno::Errno;
use throttle_tests::agent::Agent;
use throttle_tests::faults::{self, Fault, Faults, Step};
use throttle_tests::ledger::Ledger;
use throttle_tests::leftovers;
use throttle_tests::require_root;
use throttle_tests::restrict::{NOBODY, hide_first_process, unmount_bpffs, with_group_throttle};
use throttle_tests::router::{End, Router};

use super::start::{BURST_SPENT, assert_told, start_and_die};
use super::{HOST, LINK, MOST, assert_attached_once, policy};

const GROUP: u32 = 54_321;
/// The steps that starts on other machines do not have.
const STEPS: [&str; 2] = ["mounting the BPF file system", "setting the socket's group"];

#[test]
fn a_start_that_ends_while_it_prepares_its_surroundings_leaves_the_rest_to_the_next() {
    require_root!();
    let router = Router::new().unwrap();
    let faults = Faults::new().unwrap();
    with_group_throttle(GROUP, NOBODY.1, || {
        // An agent that can tell its mounts from the system's does not mount it.
        hide_first_process().unwrap();
        unmount_bpffs();
        let mut agent = Agent::start_program(
            &faults::program().unwrap(),
            router.namespace(End::Router),
            &["--iface", LINK],
            &faults.environment(),
        )
        .unwrap();
        agent.done("limit set 10.77.0.0/24 --down 5mbit").unwrap();
        let saved = policy(&agent);
        reboot(&mut agent);
        faults.record().unwrap();
        agent.restart().unwrap();
        for step in own_steps(&faults.disarm().unwrap()) {
            for fault in [Fault::Kill, Fault::Refuse(Errno::EPERM as i32)] {
                reboot(&mut agent);
                faults.bring_about(fault, &step, || end_early(&mut agent, fault, &step)).unwrap();
                agent.restart().unwrap();
                assert_eq!(policy(&agent), saved, "{step}, {fault:?}");
                assert_eq!(fs::metadata(agent.socket()).unwrap().gid(), GROUP, "{step}, {fault:?}");
                assert_attached_once(&router, LINK, &step);
            }
        }
        let mut ledger = Ledger::open(&router, HOST, MOST).unwrap();
        sleep(BURST_SPENT);
        ledger.assert_held(&"the last start").unwrap();
    })
    .unwrap();
}

/// Ends the agent, and with the mount all that was pinned.
fn reboot(agent: &mut Agent) {
    agent.end().unwrap();
    unmount_bpffs();
}

/// Of these steps the ones called [`STEPS`], of which none is missing.
fn own_steps(steps: &[Step]) -> [Step; 2] {
    STEPS.map(|name| {
        let step = steps.iter().find(|step| step.name == name);
        step.unwrap_or_else(|| panic!("no step {name:?} in {steps:?}")).clone()
    })
}

/// Starts an agent that does not get beyond the step.
fn end_early(agent: &mut Agent, fault: Fault, step: &Step) {
    if fault == Fault::Kill {
        return start_and_die(agent, step);
    }
    assert!(agent.restart().is_err(), "{step}: refused, and nobody is told");
    assert_told(agent, step);
    let left = leftovers::of_instance(agent.instance());
    assert!(left.is_empty(), "{step}: {left:?} left");
}
