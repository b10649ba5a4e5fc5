//! One process at a time works on an instance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_agent::instance::{PIN_ROOT, RUN_DIR};
use throttle_common::abi::VERSION;
use throttle_tests::agent::{self, Agent, Outcome};
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::older;
use throttle_tests::require_root;
use throttle_tests::restrict::with_file_systems;
use throttle_tests::router::End;

const ROOT: u32 = 0;
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn a_second_agent_of_an_instance_is_refused_and_told_who_holds_it() {
    require_root!();
    let lab = Lab::new().unwrap();
    assert_held(&lab, &mut second(&lab));
    let namespace = lab.router.namespace(End::Router);
    let other = Agent::start(namespace, &["--iface", "wan0"]).unwrap();
    other.done("status").unwrap();
}

#[test]
fn it_is_refused_where_the_socket_was_removed_or_cannot_be_seen() {
    require_root!();
    let lab = Lab::new().unwrap();
    with_file_systems(&[("tmpfs", RUN_DIR)], ROOT, || {
        assert_held(&lab, &mut second(&lab));
        assert_held(&lab, lab.agent.command().args(["detach", "--all"]));
    })
    .unwrap();
    let socket = lab.agent.socket();
    fs::rename(&socket, socket.with_extension("away")).unwrap();
    assert_held(&lab, &mut second(&lab));
    assert_held(&lab, lab.agent.command().args(["detach", "--all"]));
    fs::rename(socket.with_extension("away"), socket).unwrap();
}

#[test]
fn it_is_refused_again_soon_after_others_removed_lock_and_pins() {
    require_root!();
    let lab = Lab::new().unwrap();
    let directory = lock_directory(lab.agent.instance());
    fs::remove_dir_all(older::pins(VERSION, lab.agent.instance())).unwrap();
    fs::remove_dir(&directory).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !lab.agent.log().contains("locked again") {
        assert!(Instant::now() < deadline, "{}", lab.agent.log_tail());
        sleep(Duration::from_millis(20));
    }
    assert!(directory.exists());
    with_file_systems(&[("tmpfs", RUN_DIR)], ROOT, || {
        assert_held(&lab, &mut second(&lab));
        assert_held(&lab, lab.agent.command().args(["detach", "--all"]));
    })
    .unwrap();
    lab.agent.detach_all().unwrap();
    assert!(!directory.exists(), "the directory goes with the pins");
}

#[test]
fn a_killed_agent_holds_nothing() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    lab.agent.kill().unwrap();
    lab.agent.restart().unwrap();
    lab.agent.kill().unwrap();
    lab.agent.detach_all().unwrap();
    assert!(leftovers::of_instance(lab.agent.instance()).is_empty());
}

#[test]
fn a_name_may_have_dots() {
    require_root!();
    let lab = Lab::new().unwrap();
    let name = format!("{}.v1.2", lab.agent.instance());
    let mut detach = Command::new(agent::binary());
    detach.args(["--instance", &name, "detach", "--iface", "lan0"]);
    detach.args(["--netns", lab.router.namespace(End::Router).name()]);
    // It makes pins to find out.
    let outcome = Outcome::of(&mut detach).unwrap();
    assert!(outcome.stderr.contains("interface lan0 is not attached"), "{outcome:?}");
    assert!(leftovers::of_instance(&name).is_empty());
}

fn lock_directory(instance: &str) -> PathBuf {
    Path::new(PIN_ROOT).join("locks").join(instance)
}

fn second(lab: &Lab) -> Command {
    let mut command = lab.agent.command();
    command.args(["run", "--netns", lab.router.namespace(End::Router).name()]);
    command
}

fn assert_held(lab: &Lab, command: &mut Command) {
    let outcome = Outcome::of(command).unwrap();
    let holder = format!("process {} works on instance", lab.agent.process_id().unwrap());
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains(&holder) && outcome.stderr.contains("hint:"), "{outcome:?}");
}
