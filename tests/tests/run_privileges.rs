//! A running agent can do what it has to, and nothing else.

use throttle_agent::instance::RUN_DIR;
use throttle_tests::agent;
use throttle_tests::foreign::BPFFS;
use throttle_tests::hooks::{has_clsact, tcx_programs};
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::privileges::{KEPT, Privileges, TO_START, of_threads, setpriv};
use throttle_tests::public::PublicBinary;
use throttle_tests::require_root;
use throttle_tests::restrict::{NOBODY, with_file_systems};
use throttle_tests::router::{End, Router};

const LAN: &str = "lan0";
const LEAST: Privileges = Privileges {
    permitted: KEPT,
    effective: KEPT,
    bounding: KEPT,
    inheritable: 0,
    ambient: 0,
    no_new: true,
};

#[test]
fn every_thread_of_a_running_agent_keeps_two_capabilities() {
    require_root!();
    let lab = Lab::new().unwrap();
    assert_works(&lab);
    assert_eq!(least_of(&lab), LEAST);
}

#[test]
fn what_is_kept_is_enough_to_detach() {
    require_root!();
    for hook in ["tcx", "clsact"] {
        let lab = Lab::with(Router::new().unwrap(), &["--iface", LAN, "--hook", hook]).unwrap();
        let namespace = lab.router.namespace(End::Router);
        assert_works(&lab);
        lab.agent.done(&format!("detach --iface {LAN}")).unwrap();
        assert!(tcx_programs(namespace, LAN).unwrap().is_empty(), "{hook}");
        assert!(!has_clsact(namespace, LAN).unwrap(), "{hook}");
        lab.agent.detach_all().unwrap();
        assert!(leftovers::of_instance(lab.agent.instance()).is_empty(), "{hook}");
    }
}

#[test]
fn root_with_the_capabilities_of_a_service_is_enough() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    lab.agent.kill().unwrap();
    let mut launcher = setpriv(&[&format!("--bounding-set={TO_START}")]);
    launcher.arg(agent::binary());
    lab.agent.restart_by(launcher).unwrap();
    assert_works(&lab);
    // Without CAP_SETPCAP, the bounding set cannot be reduced further; it is void.
    let least = least_of(&lab);
    assert_eq!(Privileges { bounding: KEPT, ..least }, LEAST);
    lab.agent.detach_all().unwrap();
}

#[test]
fn a_user_with_ambient_capabilities_is_enough() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    lab.agent.kill().unwrap();
    let binary = PublicBinary::new().unwrap();
    with_file_systems(&[("tmpfs", RUN_DIR), ("bpf", BPFFS)], NOBODY.0, || {
        let mut launcher = setpriv(&[
            &format!("--reuid={}", NOBODY.0),
            &format!("--regid={}", NOBODY.0),
            "--clear-groups",
            &format!("--inh-caps={TO_START}"),
            &format!("--ambient-caps={TO_START}"),
        ]);
        launcher.arg(binary.path());
        lab.agent.restart_by(launcher).unwrap();
        assert_works(&lab);
        assert_eq!(Privileges { bounding: KEPT, ..least_of(&lab) }, LEAST);
        lab.agent.detach_all().unwrap();
        lab.agent.end().unwrap();
    })
    .unwrap();
}

/// Sets and reads, which takes threads.
fn assert_works(lab: &Lab) {
    lab.limit_set("10.77.0.0/24 --down 3mbit").unwrap();
    lab.agent.done("stats").unwrap();
}

/// The privileges that all threads have, of which there are several.
fn least_of(lab: &Lab) -> Privileges {
    let threads = of_threads(lab.agent.process_id().unwrap()).unwrap();
    assert!(threads.len() > 1, "{threads:x?}");
    assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:x?}");
    threads[0]
}
