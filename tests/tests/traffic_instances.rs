//! Several instances on one interface, and what others have where ours goes.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use throttle_tests::agent::{self, Agent, Outcome};
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::leftovers;
use throttle_tests::netns::unique_name;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const LINK: &str = "lan0";
const FIRST: u64 = 5 * MBIT;
const SECOND: u64 = 2 * MBIT;
/// Longer than a burst lasts.
const A_WHILE: Duration = Duration::from_secs(1);
const CLSACT: [&str; 4] = ["--iface", LINK, "--hook", "clsact"];

#[test]
fn two_instances_limit_one_interface_through_clsact_and_leave_without_each_other() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &CLSACT).unwrap();
    let Lab { agent: first, router } = &lab;
    let namespace = router.namespace(End::Router);
    first.done("limit set 10.77.0.0/24 --scope each --down 5mbit").unwrap();
    let programs = || hooks::clsact_programs(namespace, LINK).unwrap();
    let alone = programs();
    let mut ledger = Ledger::open(router, HOST, FIRST).unwrap();
    let mut second = Agent::start(namespace, &CLSACT).unwrap();
    assert_eq!(programs().len(), 4, "two programs at each hook");
    ledger.assert_held(&"a second instance starts").unwrap();
    second.done("limit set 10.77.0.0/24 --scope each --down 2mbit").unwrap();
    drop(ledger);
    let mut ledger = Ledger::open(router, HOST, SECOND).unwrap();
    sleep(A_WHILE);
    ledger.assert_held(&"the lower limit").unwrap();
    for (agent, other) in [(first, &second), (&second, first)] {
        let status = agent.cli("status").unwrap();
        assert!(
            status.stderr.contains(other.instance()),
            "{} is not named: {status:?}",
            other.instance()
        );
    }
    second.kill().unwrap();
    second.restart().unwrap();
    ledger.assert_held(&"the second is restarted").unwrap();
    assert_eq!(programs().len(), 4);
    drop(ledger);
    second.detach_all().unwrap();
    assert_eq!(programs(), alone, "the first one's programs");
    let mut ledger = Ledger::open(router, HOST, FIRST).unwrap();
    sleep(A_WHILE);
    ledger.assert_held(&"the second has left").unwrap();
}

#[test]
fn the_last_instance_to_leave_removes_the_qdisc_that_another_has_made() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &CLSACT).unwrap();
    let namespace = lab.router.namespace(End::Router);
    let second = Agent::start(namespace, &CLSACT).unwrap();
    lab.agent.detach_all().unwrap();
    assert_eq!(hooks::clsact_programs(namespace, LINK).unwrap().len(), 2, "those of the second");
    second.detach_all().unwrap();
    assert!(!hooks::has_clsact(namespace, LINK).unwrap());
}

#[test]
fn a_start_that_finds_filters_of_others_at_its_priority_says_so_and_leaves_them() {
    require_root!();
    let router = Router::new().unwrap();
    let namespace = router.namespace(End::Router);
    namespace.tc("qdisc add dev lan0 clsact").unwrap();
    let foreign = "filter add dev lan0 egress prio 10 protocol ip u32 match u32 0 0 flowid 1:1";
    namespace.tc(foreign).unwrap();
    let before = hooks::HOOKS.map(|hook| hooks::filters(namespace, LINK, hook).unwrap());
    let instance = unique_name();
    // It ends of itself, or else in a while.
    let mut command = Command::new("timeout");
    command.arg("30").arg(agent::binary()).args(["--instance", &instance]);
    command.args(["run", "--ephemeral", "--netns", namespace.name()]).args(CLSACT);
    let outcome = Outcome::of(&mut command).unwrap();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for words in ["attaching to egress of lan0", "hint: filters of others have priority 10"] {
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
    let after = hooks::HOOKS.map(|hook| hooks::filters(namespace, LINK, hook).unwrap());
    assert_eq!(after, before);
    assert!(leftovers::of_instance(&instance).is_empty());
}
