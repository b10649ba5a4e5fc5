//! Links that come and go while nothing can be pinned.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::mount::MsFlags;
use throttle_common::abi::VERSION;
use throttle_tests::agent::Agent;
use throttle_tests::bpf;
use throttle_tests::hooks;
use throttle_tests::ledger::Ledger;
use throttle_tests::older;
use throttle_tests::require_root;
use throttle_tests::restrict::unmount_bpffs;
use throttle_tests::router::{End, Router};

use super::{
    A_WHILE, CANNOT, HOST, LIMIT, PATIENCE, limited_by, mount_new, remount, with_own_file_system,
};

const LINK: &str = "lan0";
const NONE: [u32; 0] = [];
const BRIEFLY: Duration = Duration::from_millis(5);

/// What happens to the file system, and what ends it.
type Outage = (&'static str, fn(), fn());
const OUTAGES: [Outage; 2] = [
    ("unmounted", unmount_bpffs, mount_new),
    ("read-only", || remount(MsFlags::MS_RDONLY), || remount(MsFlags::empty())),
];

#[test]
fn a_link_that_others_detach_comes_back_and_the_other_hook_keeps_its_one_program() {
    require_root!();
    for (outage, begin, end) in OUTAGES {
        with_own_file_system(|router| {
            let mut agent = limited_by(router, &["--iface", LINK, "--hook", "tcx"]);
            let before = programs(router);
            let egress = bpf::open_pinned(&link_pin(&agent, "egress")).unwrap();
            let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
            begin();
            bpf::detach_link(&egress).unwrap();
            drop(egress);
            wait_for_both(router, &agent);
            assert_eq!(programs(router), before, "{outage}: {}", agent.log_tail());
            ledger.skip().unwrap();
            sleep(A_WHILE);
            ledger.assert_held(&outage).unwrap();
            let log = agent.log();
            assert!(log.matches(CANNOT).count() <= 1, "{outage}: it is told once: {log}");
            assert_eq!(log.matches("detached by others").count(), 1, "{outage}: {log}");
            end();
            assert_goes_on(&mut agent, &mut ledger, outage);
        });
    }
}

#[test]
fn an_interface_that_comes_is_limited_and_one_that_goes_leaves_no_pin() {
    require_root!();
    for (outage, begin, end) in OUTAGES {
        with_own_file_system(|router| {
            let mut agent = limited_by(router, &["--iface", "lan*", "--hook", "tcx"]);
            begin();
            router.cut(0).unwrap();
            router.lay(0).unwrap();
            wait_for_both(router, &agent);
            let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
            sleep(A_WHILE);
            ledger.assert_held(&outage).unwrap();
            end();
            assert_goes_on(&mut agent, &mut ledger, outage);
        });
    }
}

#[test]
fn a_link_is_detached_from_a_read_only_file_system_and_its_pins_go_later() {
    require_root!();
    with_own_file_system(|router| {
        let agent = limited_by(router, &["--iface", LINK, "--hook", "tcx"]);
        remount(MsFlags::MS_RDONLY);
        let outcome = agent.cli("detach --iface lan0").unwrap();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        sleep(A_WHILE);
        assert_eq!(programs(router), NONE);
        assert!(link_pin(&agent, "ingress").exists());
        remount(MsFlags::empty());
        assert_pinned_again(&agent, 0);
    });
}

#[test]
fn a_detach_leaves_no_program_and_no_qdisc_where_the_pins_are_gone() {
    require_root!();
    for hook in ["tcx", "clsact"] {
        for is_running in [true, false] {
            with_own_file_system(|router| {
                let mut agent = limited_by(router, &["--iface", LINK, "--hook", hook]);
                if !is_running {
                    agent.kill().unwrap();
                }
                unmount_bpffs();
                agent.detach_all().unwrap();
                let case = format!("{hook}, {is_running}: {}", agent.log_tail());
                assert_eq!(programs(router), NONE, "{case}");
                let namespace = router.namespace(End::Router);
                assert!(!hooks::has_clsact(namespace, LINK).unwrap(), "{case}");
            });
        }
    }
}

#[test]
fn an_agent_that_ends_without_its_pins_says_that_limits_end_and_which_stay() {
    require_root!();
    for (hook, stay) in [("tcx", 0), ("clsact", 2)] {
        with_own_file_system(|router| {
            let mut agent = limited_by(router, &["--iface", LINK, "--hook", hook]);
            unmount_bpffs();
            agent.end().unwrap();
            let log = agent.log();
            assert!(log.contains("limits on its TCX links end with this process"), "{log}");
            let deadline = Instant::now() + PATIENCE;
            while programs(router).len() != stay {
                assert!(Instant::now() < deadline, "{hook}: {:?}", programs(router));
                sleep(BRIEFLY);
            }
            mount_new();
            agent.restart().unwrap();
            assert_eq!(programs(router).len(), 2, "{hook}: one program at each hook");
            let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
            sleep(A_WHILE);
            ledger.assert_held(&hook).unwrap();
        });
    }
}

/// Limits outlive the agent, and the next one, after an outage that has ended.
fn assert_goes_on(agent: &mut Agent, ledger: &mut Ledger<'_>, outage: &str) {
    assert_pinned_again(agent, 2);
    agent.kill().unwrap();
    ledger.assert_held(&format_args!("{outage}, killed")).unwrap();
    agent.restart().unwrap();
    ledger.assert_held(&format_args!("{outage}, restarted")).unwrap();
}

/// Waits until each hook has a program; none has two meanwhile.
fn wait_for_both(router: &Router, agent: &Agent) {
    let deadline = Instant::now() + PATIENCE;
    // An interface that has just come may not be there at the first look.
    while hooks::tcx_programs(router.namespace(End::Router), LINK).map_or(0, |found| found.len())
        != 2
    {
        assert!(Instant::now() < deadline, "not attached: {}", agent.log_tail());
        sleep(BRIEFLY);
    }
}

/// Waits until all maps are pinned, and of links so many hooks.
fn assert_pinned_again(agent: &Agent, hooks: usize) {
    let directory = older::pins(VERSION, agent.instance());
    let names = || -> Vec<_> {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let is_whole = |names: &[String]| {
        names.iter().filter(|name| name.starts_with("link-")).count() == hooks
            && names.iter().any(|name| name == "CONFIG")
    };
    let is_told = || hooks == 0 || agent.log().contains("pinned again");
    let deadline = Instant::now() + PATIENCE;
    while !is_told() || !is_whole(&names()) {
        assert!(Instant::now() < deadline, "{:?}: {}", names(), agent.log_tail());
        sleep(BRIEFLY);
    }
}

fn programs(router: &Router) -> Vec<u32> {
    hooks::programs(router.namespace(End::Router), LINK).unwrap()
}

/// Where the agent's only link has its pin.
fn link_pin(agent: &Agent, hook: &str) -> PathBuf {
    let entries = fs::read_dir(older::pins(VERSION, agent.instance())).unwrap().flatten();
    let mut paths = entries.map(|entry| entry.path());
    let is_meant = |path: &PathBuf| path.to_string_lossy().ends_with(&format!("-{hook}"));
    paths.find(is_meant).unwrap()
}
