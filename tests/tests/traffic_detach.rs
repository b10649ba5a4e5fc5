//! `detach --all` leaves nothing of ours and everything of others, with either way to attach.

use std::time::Duration;

use throttle_tests::bars::assert_holds;
use throttle_tests::hooks::{
    self, clsact_programs, filters, has_clsact, still_loaded, tcx_programs,
};
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const NONE: [u32; 0] = [];
const LINK: &str = "lan0";
const CLSACT: [&str; 4] = ["--iface", LINK, "--hook", "clsact"];
const HOST: End = End::host(0);
// Slow enough for emulated machines.
const LIMIT: u64 = 2 * MBIT;
const OFFERED: u64 = 8 * MBIT;
const PRECISION: Precision = Precision { window: Duration::from_secs(2), tolerance: 2.0 };

#[test]
fn detach_leaves_no_program_pin_or_file_with_tcx() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &["--iface", LINK, "--hook", "tcx"]).unwrap();
    let namespace = lab.router.namespace(End::Router);
    let programs = tcx_programs(namespace, LINK).unwrap();
    assert_eq!(programs.len(), 2, "one program at each hook");
    assert_limited(&lab);
    lab.agent.detach_all().unwrap();
    assert_eq!(tcx_programs(namespace, LINK).unwrap(), NONE);
    assert_nothing_left(&lab, &programs);
}

#[test]
fn detach_leaves_no_program_qdisc_pin_or_file_with_clsact() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &CLSACT).unwrap();
    let namespace = lab.router.namespace(End::Router);
    let programs = clsact_programs(namespace, LINK).unwrap();
    assert_eq!(programs.len(), 2, "one program at each hook");
    assert_eq!(tcx_programs(namespace, LINK).unwrap(), NONE);
    assert_limited(&lab);
    lab.agent.detach_all().unwrap();
    assert!(!has_clsact(namespace, LINK).unwrap(), "the qdisc that the agent made is removed");
    assert_nothing_left(&lab, &programs);
}

#[test]
fn detach_keeps_the_clsact_qdisc_and_the_filters_of_others() {
    require_root!();
    let router = Router::new().unwrap();
    router.namespace(End::Router).tc("qdisc add dev lan0 clsact").unwrap();
    let foreign = "filter add dev lan0 ingress prio 4242 protocol all u32 match u32 0 0 flowid 1:1";
    router.namespace(End::Router).tc(foreign).unwrap();
    let lab = Lab::with(router, &CLSACT).unwrap();
    let namespace = lab.router.namespace(End::Router);
    let programs = clsact_programs(namespace, LINK).unwrap();
    assert_eq!(programs.len(), 2, "one program at each hook");
    assert_limited(&lab);
    lab.agent.detach_all().unwrap();
    assert!(has_clsact(namespace, LINK).unwrap(), "the qdisc of others stays");
    assert!(filters(namespace, LINK, "ingress").unwrap().contains("pref 4242"));
    assert_nothing_left(&lab, &programs);
}

#[test]
fn a_killed_agent_can_be_detached_from_outside() {
    require_root!();
    for hook in ["tcx", "clsact"] {
        let router = Router::new().unwrap();
        let mut lab = Lab::with(router, &["--iface", LINK, "--hook", hook]).unwrap();
        let namespace = lab.router.namespace(End::Router);
        let programs = hooks::programs(namespace, LINK).unwrap();
        assert_eq!(programs.len(), 2, "one program at each hook");
        lab.agent.kill().unwrap();
        assert_eq!(still_loaded(&programs).unwrap(), programs, "enforcement outlives the agent");
        lab.agent.detach_all().unwrap();
        assert!(!has_clsact(lab.router.namespace(End::Router), LINK).unwrap());
        assert_nothing_left(&lab, &programs);
    }
}

#[test]
fn a_qdisc_that_others_have_removed_does_not_keep_the_rest() {
    require_root!();
    let mut lab = Lab::with(Router::new().unwrap(), &CLSACT).unwrap();
    lab.agent.kill().unwrap();
    lab.router.namespace(End::Router).tc("qdisc del dev lan0 clsact").unwrap();
    lab.agent.detach_all().unwrap();
    assert!(leftovers::of_instance(lab.agent.instance()).is_empty());
}

#[test]
fn an_agent_that_was_told_to_detach_on_exit_does() {
    require_root!();
    let arguments = ["--iface", LINK, "--detach-on-exit"];
    let mut lab = Lab::with(Router::new().unwrap(), &arguments).unwrap();
    let programs = tcx_programs(lab.router.namespace(End::Router), LINK).unwrap();
    assert_limited(&lab);
    lab.agent.end().unwrap();
    assert_nothing_left(&lab, &programs);
}

fn assert_limited(lab: &Lab) {
    lab.limit_both(|family| HOST.prefix(family), "each", LIMIT).unwrap();
    assert_rate(lab, LIMIT);
}

fn assert_nothing_left(lab: &Lab, programs: &[u32]) {
    assert_eq!(still_loaded(programs).unwrap(), NONE, "programs still loaded");
    assert!(leftovers::of_instance(lab.agent.instance()).is_empty());
    assert_rate(lab, OFFERED);
}

/// Floods of [`OFFERED`] arrive at `expected` bits per second.
fn assert_rate(lab: &Lab, expected: u64) {
    assert_holds(|| promise::hosts(lab, &[HOST], OFFERED, |_| expected, PRECISION));
}
