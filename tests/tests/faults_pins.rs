//! Pins that others remove or mix up, under a running agent and while none runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use throttle_common::abi::VERSION;
use throttle_tests::agent::Agent;
use throttle_tests::faults::{self, Fault, Faults};
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::older;
use throttle_tests::require_root;
use throttle_tests::restrict::is_full;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const LINK: &str = "lan0";
const LIMIT: u64 = 5 * MBIT;
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn pins_removed_under_a_running_agent_take_nothing_out_of_force_and_come_back() {
    require_root!();
    for hook in ["auto", "clsact"] {
        let mut lab = limited(hook);
        let Lab { agent, router } = &mut lab;
        let directory = older::pins(VERSION, agent.instance());
        let (before, limits) = (names(&directory), limits(agent));
        let programs = hooks::programs(router.namespace(End::Router), LINK).unwrap();
        let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while names(&directory) != before {
            assert!(Instant::now() < deadline, "{:?}: {}", names(&directory), agent.log_tail());
            sleep(Duration::from_millis(20));
        }
        ledger.assert_held(&format_args!("{hook}: pins removed")).unwrap();
        assert!(agent.log().contains("pinned again"), "{}", agent.log_tail());
        assert_eq!(hooks::programs(router.namespace(End::Router), LINK).unwrap(), programs);
        agent.kill().unwrap();
        agent.restart().unwrap();
        assert_eq!(self::limits(agent), limits, "{hook}");
        ledger.assert_held(&format_args!("{hook}: killed and restarted")).unwrap();
    }
}

#[test]
fn whichever_pin_is_removed_while_no_agent_runs_the_next_one_enforces_the_policy() {
    require_root!();
    for hook in ["auto", "clsact"] {
        let mut lab = limited(hook);
        let Lab { agent, router } = &mut lab;
        let directory = older::pins(VERSION, agent.instance());
        let limits = limits(agent);
        let all = names(&directory);
        let is_chosen = |name: &&String| {
            is_full() || ["CONFIG", "LINKS", "PREFIXES", "LIMITS", "HOSTS"].contains(&name.as_str())
        };
        let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
        for name in all.iter().filter(is_chosen) {
            agent.kill().unwrap();
            fs::remove_file(directory.join(name)).unwrap();
            if !is_link(name) {
                ledger.assert_held(&format_args!("{hook}, {name} removed")).unwrap();
            }
            agent.restart().unwrap_or_else(|error| panic!("{hook}, without {name}: {error:#}"));
            assert_eq!(self::limits(agent), limits, "{hook}, without {name}");
            assert_eq!(names(&directory), all, "{hook}, without {name}");
            let programs = hooks::programs(router.namespace(End::Router), LINK).unwrap();
            assert_eq!(programs.len(), 2, "{hook}, without {name}: one program at each hook");
            if is_link(name) {
                ledger.skip().unwrap();
            }
            // Buckets may have gone with their pin.
            ledger.assert_held_but_for_a_burst(&format_args!("{hook}, without {name}")).unwrap();
        }
    }
}

#[test]
fn filters_whose_pins_are_gone_limit_until_the_next_agent_does_and_through_a_start_that_fails() {
    require_root!();
    let (router, faults) = (Router::new().unwrap(), Faults::new().unwrap());
    let namespace = router.namespace(End::Router);
    let arguments = ["--iface", LINK, "--hook", "clsact"];
    let program = faults::program().unwrap();
    let mut agent =
        Agent::start_program(&program, namespace, &arguments, &faults.environment()).unwrap();
    // A fresh burst is within the ledger's slack.
    agent.done("limit set 10.77.0.0/24 --scope each --down 5mbit --burst 15kb").unwrap();
    let programs = || hooks::programs(namespace, LINK).unwrap();
    let (before, limits) = (programs(), limits(&agent));
    let directory = older::pins(VERSION, agent.instance());
    let mut ledger = Ledger::open(&router, HOST, LIMIT).unwrap();
    agent.kill().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    faults.record().unwrap();
    agent.restart().unwrap();
    let steps = faults.disarm().unwrap();
    ledger.assert_held(&"the next start").unwrap();
    assert_eq!(self::limits(&agent), limits);
    let after = programs();
    assert_eq!(after.len(), 2, "one program at each hook");
    assert!(after.iter().all(|id| !before.contains(id)), "{before:?} replaced by {after:?}");
    for name in ["writing a link", "replacing a program"] {
        agent.kill().unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let step = steps.iter().find(|step| step.name == name).expect("the start has it");
        faults.arm(step.number, Fault::Refuse(Errno::EPERM as i32)).unwrap();
        let error = format!("{:#}", agent.restart().unwrap_err());
        faults.disarm().unwrap();
        assert!(error.contains("Operation not permitted"), "{step}: {error}");
        ledger.assert_held(step).unwrap();
        assert_eq!(programs().len(), 2, "{step}");
        assert!(!directory.exists(), "{step}: {:?}", names(&directory));
        agent.restart().unwrap();
        ledger.assert_held(&format_args!("the start after {step}")).unwrap();
    }
    agent.detach_all().unwrap();
    assert!(programs().is_empty());
    assert!(!hooks::has_clsact(namespace, LINK).unwrap(), "the qdisc is known to be ours");
}

#[test]
fn an_agent_that_ends_right_after_pins_were_removed_pins_again_first() {
    require_root!();
    let mut lab = limited("tcx");
    let Lab { agent, router } = &mut lab;
    let directory = older::pins(VERSION, agent.instance());
    let before = names(&directory);
    let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
    for round in 0..3 {
        fs::remove_dir_all(&directory).unwrap();
        agent.end().unwrap();
        assert_eq!(names(&directory), before, "{round}: {}", agent.log_tail());
        ledger.assert_held(&format_args!("ended, {round}")).unwrap();
        agent.restart().unwrap();
        ledger.assert_held(&format_args!("restarted, {round}")).unwrap();
    }
}

#[test]
fn pins_of_a_foreign_layout_are_refused_by_name_and_stay_in_force() {
    require_root!();
    let mut lab = limited("auto");
    let Lab { agent, router } = &mut lab;
    let limits = limits(agent);
    let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
    agent.kill().unwrap();
    let directory = older::pins(VERSION, agent.instance());
    let swap = || {
        let path = |name: &str| directory.join(name);
        for (from, to) in [("CONFIG", "aside"), ("BUDGET", "CONFIG"), ("aside", "BUDGET")] {
            fs::rename(path(from), path(to)).unwrap();
        }
    };
    swap();
    let error = format!("{:#}", agent.restart().unwrap_err());
    assert!(error.contains("CONFIG") && error.contains("hint: "), "{error}");
    ledger.assert_held(&"a start over a foreign layout").unwrap();
    swap();
    agent.restart().unwrap();
    assert_eq!(self::limits(agent), limits);
    ledger.assert_held(&"the start after it").unwrap();
}

#[test]
fn a_detach_removes_what_has_a_foreign_layout() {
    require_root!();
    for hook in ["auto", "clsact"] {
        let mut lab = limited(hook);
        lab.agent.kill().unwrap();
        let directory = older::pins(VERSION, lab.agent.instance());
        fs::remove_file(directory.join("CONFIG")).unwrap();
        fs::rename(directory.join("BUDGET"), directory.join("CONFIG")).unwrap();
        lab.agent.detach_all().unwrap();
        assert!(!directory.exists(), "{hook}: {:?}", names(&directory));
        let namespace = lab.router.namespace(End::Router);
        assert!(hooks::programs(namespace, LINK).unwrap().is_empty(), "{hook}");
        assert!(!hooks::has_clsact(namespace, LINK).unwrap(), "{hook}: the qdisc is ours");
    }
}

fn limited(hook: &str) -> Lab {
    let lab = Lab::with(Router::new().unwrap(), &["--iface", LINK, "--hook", hook]).unwrap();
    lab.limit_set("10.77.0.0/24 --scope each --down 5mbit").unwrap();
    lab.limit_set("10.8.0.0/24 --down 1mbit").unwrap();
    lab
}

fn limits(agent: &Agent) -> String {
    agent.done("--json limit list").unwrap()
}

/// Whether it is the pin of a TCX link, which lasts as long as that.
fn is_link(name: &str) -> bool {
    name.ends_with("-ingress") || name.ends_with("-egress")
}

/// What is in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let paths = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<_> = paths.filter_map(name).collect();
    names.sort();
    names
}
