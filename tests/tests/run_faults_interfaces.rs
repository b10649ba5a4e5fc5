//! Which interfaces the agent attaches to while they come and go, and which limits their links get.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use throttle_tests::agent::{self, Outcome};
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::tap::Tun;

const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than it takes to notice a change.
const A_WHILE: Duration = Duration::from_millis(500);

#[test]
fn a_link_that_comes_back_has_its_limit_again() {
    require_root!();
    let lab = lab("lan*");
    lab.agent.done("link set lan0 --down 30mbit --overhead 18b").unwrap();
    let limit = limit_of(&lab, "lan0");
    lab.router.cut(0).unwrap();
    wait_for(&lab, &[]);
    lab.router.lay(0).unwrap();
    wait_for(&lab, &["lan0"]);
    assert_eq!(limit_of(&lab, "lan0"), limit);
    assert_eq!(limit["down"]["bits_per_second"], 30_000_000);
}

#[test]
fn a_link_that_is_renamed_away_is_detached_and_comes_back_with_its_limit() {
    require_root!();
    let lab = lab("lan*");
    lab.agent.done("link set lan0 --up 30mbit").unwrap();
    let limit = limit_of(&lab, "lan0");
    let router = lab.router.namespace(End::Router);
    router.ip("link set lan0 name spare0").unwrap();
    wait_for(&lab, &[]);
    router.ip("link set spare0 name lan0").unwrap();
    wait_for(&lab, &["lan0"]);
    assert_eq!(limit_of(&lab, "lan0"), limit);
    router.ip("link set lan0 name lan5").unwrap();
    wait_for(&lab, &["lan5"]);
    assert_eq!(limit_of(&lab, "lan5")["up"], limit["up"], "the link stayed");
}

#[test]
fn a_link_that_was_detached_by_hand_stays_detached() {
    require_root!();
    let lab = lab("lan*");
    lab.agent.done("detach --iface lan0").unwrap();
    let router = lab.router.namespace(End::Router);
    router.ip("link add lan1 type veth peer name far1").unwrap();
    wait_for(&lab, &["lan1"]);
    lab.router.cut(0).unwrap();
    lab.router.lay(0).unwrap();
    thread::sleep(A_WHILE);
    assert_eq!(attached(&lab), ["lan1"]);
}

#[test]
fn an_interface_that_moves_to_another_namespace_is_gone() {
    require_root!();
    let lab = lab("lan*");
    let (router, server) = (lab.router.namespace(End::Router), lab.router.namespace(End::Server));
    router.ip(&format!("link set lan0 netns {}", server.name())).unwrap();
    wait_for(&lab, &[]);
    server.ip(&format!("link set lan0 netns {}", router.name())).unwrap();
    wait_for(&lab, &["lan0"]);
}

#[test]
fn a_glob_passes_by_what_cannot_be_read() {
    require_root!();
    let router = Router::new().unwrap();
    let kind = libc::ARPHRD_IEEE80211;
    let _radio = Tun::new(router.namespace(End::Router), "lan7", kind).unwrap();
    let lab = Lab::with(router, &["--iface", "lan*"]).unwrap();
    let _other = Tun::new(lab.router.namespace(End::Router), "lan8", kind).unwrap();
    lab.router.namespace(End::Router).ip("link add lan9 type veth peer name far9").unwrap();
    wait_for(&lab, &["lan0", "lan9"]);
}

#[test]
fn nothing_is_missed_when_messages_are_lost() {
    require_root!();
    let mut lab = lab("lan*");
    assert!(lab.agent.is_running().unwrap());
    let process = Pid::from_raw(lab.agent.process_id().unwrap() as i32);
    let router = lab.router.namespace(End::Router);
    let each = |line: fn(u32) -> String| (0..150).map(line).collect::<String>();
    kill(process, Signal::SIGSTOP).unwrap();
    // More messages than the socket holds, the last of which is about what counts.
    router
        .ip(&each(|number| format!("link add a{number} type veth peer name b{number}\n")))
        .unwrap();
    router.ip(&each(|number| format!("link set a{number} up\n"))).unwrap();
    router.ip("link add lan4 type veth peer name far4").unwrap();
    kill(process, Signal::SIGCONT).unwrap();
    wait_for(&lab, &["lan0", "lan4"]);
}

#[test]
fn a_missing_interface_is_refused_by_name_and_waited_for_by_glob() {
    require_root!();
    let lab = lab("nosuch*");
    assert!(attached(&lab).is_empty());
    assert!(lab.agent.log().contains("control socket"), "{}", lab.agent.log());
    let mut command = std::process::Command::new(agent::binary());
    let namespace = lab.router.namespace(End::Router).name();
    command.args(["--instance", "thr0-absent", "run", "--netns", namespace, "--iface", "nosuch0"]);
    let outcome = Outcome::of(&mut command).unwrap();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("no such interface: nosuch0"), "{outcome:?}");
}

#[test]
fn what_becomes_of_links_is_told_as_it_happens() {
    require_root!();
    let mut lab = lab("lan*");
    let router = lab.router.namespace(End::Router);
    wait_for_events(&lab, &["link_up lan0"]);
    router.ip("link set lan0 name lan3").unwrap();
    wait_for_events(&lab, &["link_up lan0", "link_renamed lan3"]);
    router.ip("link del lan3").unwrap();
    wait_for_events(&lab, &["link_up lan0", "link_renamed lan3", "link_down lan3"]);
    lab.router.lay(0).unwrap();
    let all = ["link_up lan0", "link_renamed lan3", "link_down lan3", "link_up lan0"];
    wait_for_events(&lab, &all);
    lab.agent.kill().unwrap();
    lab.agent.restart().unwrap();
    wait_for_events(&lab, &["program_replaced 1"]);
}

/// What happens between two looks of the agent is one change to it, so each is waited for.
fn wait_for_events(lab: &Lab, expected: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    while link_events(lab) != expected {
        let told = link_events(lab);
        assert!(Instant::now() < deadline, "{told:?} not {expected:?}: {}", lab.agent.log_tail());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The events about links, each with the interface or the number of links.
fn link_events(lab: &Lab) -> Vec<String> {
    let told = lab.agent.done("--json events").unwrap();
    let events = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let words = events.filter_map(|event| {
        let interface = event["interface"].as_str().map(str::to_owned);
        let about = interface.or_else(|| event["links"].as_u64().map(|links| links.to_string()))?;
        Some(format!("{} {about}", event["event"].as_str()?))
    });
    words.collect()
}

fn lab(interface: &str) -> Lab {
    Lab::with(Router::new().unwrap(), &["--iface", interface]).unwrap()
}

fn attached(lab: &Lab) -> Vec<String> {
    let status: Value = lab.agent.json("status").unwrap();
    let links = status["links"].as_array().unwrap().iter();
    let mut names: Vec<_> =
        links.map(|link| link["interface"].as_str().unwrap_or("gone").to_owned()).collect();
    names.sort();
    names
}

fn wait_for(lab: &Lab, names: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    while attached(lab) != names {
        let found = attached(lab);
        assert!(Instant::now() < deadline, "{found:?} not {names:?}: {}", lab.agent.log_tail());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The rates of a link and what it adds to packets.
fn limit_of(lab: &Lab, interface: &str) -> Value {
    let mut limit: Value = lab.agent.json(&format!("link show {interface}")).unwrap();
    let _name = limit.as_object_mut().unwrap().remove("interface");
    limit
}
