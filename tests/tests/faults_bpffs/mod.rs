//! A BPF file system that is unmounted or read-only; each test has one of its own.

mod links;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use throttle_tests::agent::{Agent, Outcome};
use throttle_tests::foreign::BPFFS;
use throttle_tests::ledger::Ledger;
use throttle_tests::leftovers;
use throttle_tests::netns::unique_name;
use throttle_tests::require_root;
use throttle_tests::restrict::{
    hide_first_process, show_others_mounts, unmount_bpffs, with_own_mounts,
};
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const LIMIT: u64 = 5 * MBIT;
const NONE: Option<&str> = None;
const PATIENCE: Duration = Duration::from_secs(5);
/// Several looks at the links long.
const A_WHILE: Duration = Duration::from_secs(1);
const CANNOT: &str = "and cannot be made";

#[test]
fn limits_stay_in_force_while_the_file_system_is_unmounted_and_are_pinned_in_the_next() {
    require_root!();
    with_own_file_system(|router| {
        let mut agent = limited(router);
        let limits = agent.done("--json limit list").unwrap();
        let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
        unmount_bpffs();
        sleep(A_WHILE);
        ledger.assert_held(&"unmounted").unwrap();
        let log = agent.log();
        assert_eq!(log.matches(CANNOT).count(), 1, "it is told once: {log}");
        assert!(log.contains("mount -t bpf bpf /sys/fs/bpf"), "{log}");
        agent.done("limit set 10.8.0.0/24 --down 2mbit").unwrap();
        agent.done("limit set 10.8.0.0/24 --down 1mbit").unwrap();
        mount_new();
        let deadline = Instant::now() + PATIENCE;
        while leftovers::of_instance(agent.instance()).len() < 2 {
            assert!(Instant::now() < deadline, "not pinned again: {}", agent.log_tail());
            sleep(Duration::from_millis(20));
        }
        ledger.assert_held(&"mounted again").unwrap();
        agent.kill().unwrap();
        ledger.assert_held(&"killed").unwrap();
        agent.restart().unwrap();
        assert_eq!(agent.done("--json limit list").unwrap(), limits);
        ledger.assert_held(&"restarted").unwrap();
    });
}

#[test]
fn a_start_without_the_file_system_mounts_it() {
    require_root!();
    with_own_file_system(|router| {
        hide_first_process().unwrap();
        unmount_bpffs();
        let mut agent = limited(router);
        assert!(leftovers::of_instance(agent.instance()).len() >= 2, "{}", agent.log_tail());
        let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
        agent.kill().unwrap();
        ledger.assert_held(&"killed").unwrap();
    });
}

#[test]
fn a_start_in_mounts_that_nobody_else_sees_says_why_it_does_not() {
    require_root!();
    with_own_file_system(|router| {
        show_others_mounts().unwrap();
        unmount_bpffs();
        let outcome = run(router);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let words = "mounting the BPF file system on /sys/fs/bpf";
        assert!(outcome.stderr.contains(words) && outcome.stderr.contains("hint: "), "{outcome:?}");
        mount_new();
    });
}

#[test]
fn a_read_only_file_system_keeps_limits_in_force_and_agents_from_starting() {
    require_root!();
    with_own_file_system(|router| {
        let mut agent = limited(router);
        let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
        remount(MsFlags::MS_RDONLY);
        sleep(A_WHILE);
        agent.done("limit set 10.8.0.0/24 --down 2mbit").unwrap();
        let limits = agent.done("--json limit list").unwrap();
        agent.kill().unwrap();
        let adopting = format!("{:#}", agent.restart().unwrap_err());
        let new = run(router);
        ledger.assert_held(&"read-only").unwrap();
        remount(MsFlags::empty());
        assert_eq!(new.code, Some(1), "{new:?}");
        for words in [&adopting, &new.stderr] {
            assert!(words.contains("Read-only file system"), "{words}");
            assert!(words.contains("hint: make it writable: mount -o remount,rw"), "{words}");
        }
        agent.restart().unwrap();
        assert_eq!(agent.done("--json limit list").unwrap(), limits);
        ledger.assert_held(&"writable again").unwrap();
    });
}

/// Runs `test` where it can mount and unmount, with an empty BPF file system.
fn with_own_file_system(test: impl FnOnce(&Router) + Send) {
    let router = Router::new().unwrap();
    with_own_mounts(|| {
        unmount_bpffs();
        mount_new();
        test(&router);
    })
    .unwrap();
}

fn mount_new() {
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), NONE).unwrap();
}

fn remount(flags: MsFlags) {
    mount(NONE, BPFFS, NONE, MsFlags::MS_REMOUNT | flags, NONE).unwrap();
}

fn limited(router: &Router) -> Agent {
    limited_by(router, &["--iface", "lan0"])
}

/// An agent with these arguments of `run` that limits the hosts.
fn limited_by(router: &Router, arguments: &[&str]) -> Agent {
    let agent = Agent::start(router.namespace(End::Router), arguments).unwrap();
    agent.done("limit set 10.77.0.0/24 --scope each --down 5mbit").unwrap();
    agent.done("limit set 10.8.0.0/24 --down 1mbit").unwrap();
    agent
}

/// Runs an agent that is new.
fn run(router: &Router) -> Outcome {
    // It ends of itself, or else in a while.
    let mut command = Command::new("timeout");
    command.arg("30").arg(throttle_tests::agent::binary());
    command.args(["--instance", &unique_name(), "run", "--ephemeral", "--iface", "lan0"]);
    command.args(["--netns", router.namespace(End::Router).name()]);
    Outcome::of(&mut command).unwrap()
}
