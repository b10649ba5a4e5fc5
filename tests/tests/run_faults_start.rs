//! A start that fails half-way leaves things as they were.

use std::process::Command;
use std::time::Duration;

use throttle_tests::agent::{self, Agent, Outcome};
use throttle_tests::bars::assert_holds;
use throttle_tests::faults::Faults;
use throttle_tests::hooks::{has_clsact, tcx_programs};
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::netns::{Namespace, unique_name};
use throttle_tests::promise::{self, Precision};
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::tap::Tun;
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
/// Can be attached to.
const LAN: &str = "lan0";
/// Cannot: it says that it is a radio, whose packets nobody can read.
const RADIO: &str = "radio0";

#[test]
fn a_start_that_fails_at_the_second_link_leaves_nothing_at_the_first() {
    require_root!();
    let (router, _radio) = with_radio();
    for hook in ["tcx", "clsact"] {
        let instance = unique_name();
        let mut command = Command::new(agent::binary());
        command.args(["--instance", &instance, "run", "--ephemeral", "--hook", hook]);
        assert_refused(&router, &mut command);
        let namespace = router.namespace(End::Router);
        assert!(tcx_programs(namespace, LAN).unwrap().is_empty());
        assert!(!has_clsact(namespace, LAN).unwrap());
        assert!(leftovers::of_instance(&instance).is_empty());
    }
}

#[test]
fn the_agent_that_ships_has_no_steps_to_be_ended_at() {
    require_root!();
    let (namespace, faults) = (Namespace::new("shipped").unwrap(), Faults::new().unwrap());
    faults.record().unwrap();
    let agent = Agent::start_with(&namespace, &["--iface", "lo"], &faults.environment()).unwrap();
    agent.done("limit set 10.0.0.0/24 --down 8kbit").unwrap();
    assert_eq!(faults.disarm().unwrap(), []);
}

#[test]
fn a_restart_that_fails_leaves_the_limits_in_force() {
    require_root!();
    let (router, _radio) = with_radio();
    let mut lab = Lab::with(router, &["--iface", LAN]).unwrap();
    lab.limit_both(|family| HOST.prefix(family), "each", LIMIT).unwrap();
    let programs = tcx_programs(lab.router.namespace(End::Router), LAN).unwrap();
    lab.agent.kill().unwrap();
    assert_refused(&lab.router, lab.agent.command().arg("run"));
    let attached = tcx_programs(lab.router.namespace(End::Router), LAN).unwrap();
    assert_eq!(attached.len(), programs.len());
    let precision = Precision { window: Duration::from_secs(2), tolerance: 2.0 };
    assert_holds(|| promise::hosts(&lab, &[HOST], 4 * LIMIT, |_| LIMIT, precision));
}

fn with_radio() -> (Router, Tun) {
    let router = Router::new().unwrap();
    let kind = libc::ARPHRD_IEEE80211;
    let radio = Tun::new(router.namespace(End::Router), RADIO, kind).unwrap();
    (router, radio)
}

/// Runs an agent on both links, which must fail at the second.
fn assert_refused(router: &Router, run: &mut Command) {
    let namespace = router.namespace(End::Router).name();
    run.args(["--netns", namespace, "--iface", LAN, "--iface", RADIO]);
    let outcome = Outcome::of(run).unwrap();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains(RADIO) && outcome.stderr.contains("Ethernet"), "{outcome:?}");
}
