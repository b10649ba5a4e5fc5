//! Changes that are refused when much of them is done, by an agent that goes on: nothing of them ever comes into
//! force, and nothing of the tables is lost.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use throttle_tests::faults::Fault;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::router::Router;

use super::{HOST, MOST, Scene, policy};

/// Limits two links, and the host to less than any other policy.
const REFUSED: &str = "[[group]]\nname = \"refused\"\ndown = \"2mbit\"\n\
     [[limit]]\nprefix = \"10.77.0.10/32\"\ndown = \"1mbit\"\ngroup = \"refused\"\n\
     [[limit]]\nprefix = \"10.7.0.0/24\"\ndown = \"1mbit\"\n\
     [[link]]\ninterface = \"lan0\"\ndown = \"1mbit\"\n\
     [[link]]\ninterface = \"lan1\"\ndown = \"1mbit\"\n";
/// Holds the host by a prefix that is shorter than that of [`REFUSED`].
const THIRD: &str = "[[limit]]\nprefix = \"10.77.0.0/24\"\ndown = \"5mbit\"\n";
const LINK_STEP: &str = "writing a link";
/// Of a policy that is not in force.
const PREFIX_STEP: &str = "removing a prefix of another policy";
const NO_SPACE: Fault = Fault::Refuse(Errno::ENOSPC as i32);
/// Limits that the table has room for, where that counts.
const ROOM: usize = 64;
const A_WHILE: Duration = Duration::from_secs(1);
/// Idle hosts are looked for every two seconds, and what could not be done is done then.
const TIDIED: Duration = Duration::from_millis(2500);

#[test]
fn a_policy_that_was_refused_at_its_last_link_never_comes_into_force() {
    require_root!();
    let mut scene = two_links();
    let (refused, last_link) = refusal(&mut scene);
    let third = file(&scene, "third", THIRD);
    let third_policy = put_in_force(&scene.lab, &third);
    let first_policy = put_in_force(&scene.lab, &scene.apply(0));
    let mut ledger = Ledger::open(&scene.lab.router, HOST, MOST).unwrap();
    let faults = [
        vec![(last_link.as_str(), NO_SPACE)],
        vec![
            (last_link.as_str(), NO_SPACE),
            // What was filled in of it stays for a while.
            (PREFIX_STEP, NO_SPACE),
        ],
    ];
    for faults in faults {
        scene.faults.arm_each(&faults).unwrap();
        assert_refused(&scene, &refused);
        scene.faults.disarm().unwrap();
        assert_eq!(policy(&scene.lab.agent), first_policy);
        for (words, expected) in [(&third, &third_policy), (&scene.apply(0), &first_policy)] {
            assert_eq!(put_in_force(&scene.lab, words), *expected);
            ledger.assert_held(&format_args!("{words}, put in force")).unwrap();
            sleep(A_WHILE);
            ledger.assert_held(&format_args!("{words} after {faults:?}")).unwrap();
        }
    }
}

#[test]
fn a_policy_that_is_refused_a_hundred_times_takes_no_room() {
    require_root!();
    let mut scene = two_links();
    let (refused, last_link) = refusal(&mut scene);
    let full: String = (1..=ROOM)
        .map(|host| format!("[[limit]]\nprefix = \"10.6.0.{host}/32\"\ndown = \"1mbit\"\n"))
        .collect();
    let full = file(&scene, "full", &full);
    let first_policy = put_in_force(&scene.lab, &scene.apply(0));
    for _ in 0..100 {
        scene.faults.arm_each(&[(&last_link, NO_SPACE)]).unwrap();
        assert_refused(&scene, &refused);
        scene.faults.disarm().unwrap();
    }
    assert_eq!(policy(&scene.lab.agent), first_policy);
    put_in_force(&scene.lab, &full);
    assert_eq!(put_in_force(&scene.lab, &scene.apply(0)), first_policy);
}

#[test]
fn what_is_left_of_the_policy_before_keeps_the_next_out_until_it_can_be_removed() {
    require_root!();
    let scene = two_links();
    let third = file(&scene, "third", THIRD);
    let (third_policy, words) = (put_in_force(&scene.lab, &third), scene.apply(1));
    scene.faults.arm_each(&[(PREFIX_STEP, NO_SPACE)]).unwrap();
    assert_refused(&scene, &words);
    assert_refused(&scene, &words);
    scene.faults.disarm().unwrap();
    assert_eq!(policy(&scene.lab.agent), third_policy);
    put_in_force(&scene.lab, &words);
    // Its limit of the host alone is above this.
    put_in_force(&scene.lab, &third);
    let mut ledger = Ledger::open(&scene.lab.router, HOST, MOST).unwrap();
    sleep(A_WHILE);
    ledger.assert_held(&third).unwrap();
}

#[test]
fn a_link_keeps_its_limit_where_lifting_that_is_refused() {
    require_root!();
    let scene = two_links();
    put_in_force(&scene.lab, &file(&scene, "none", ""));
    let limited = put_in_force(&scene.lab, "link set lan0 --down 5mbit");
    let mut ledger = Ledger::open(&scene.lab.router, HOST, MOST).unwrap();
    scene.faults.arm_each(&[(LINK_STEP, NO_SPACE)]).unwrap();
    assert_refused(&scene, "link set lan0");
    scene.faults.disarm().unwrap();
    assert_eq!(policy(&scene.lab.agent), limited);
    sleep(A_WHILE);
    ledger.assert_held(&"lifting was refused").unwrap();
    assert_ne!(put_in_force(&scene.lab, "link set lan0"), limited);
}

#[test]
fn nobody_gets_the_buckets_that_an_unlimited_link_still_names() {
    require_root!();
    let scene = with_room(4);
    let third = file(&scene, "third", THIRD);
    put_in_force(&scene.lab, "link set lan0 --down 900mbit");
    scene.faults.arm_each(&[(LINK_STEP, NO_SPACE)]).unwrap();
    put_in_force(&scene.lab, &third);
    assert!(scene.lab.agent.log_tail().contains("No space left on device"));
    let mut ledger = Ledger::open(&scene.lab.router, HOST, MOST).unwrap();
    // There are two rows for each limit, and the one that has rested longest is taken.
    for round in 0..=2 * 4 {
        scene.lab.agent.done("group set other --down 8kbit --burst 2kb").unwrap();
        sleep(A_WHILE / 2);
        ledger.assert_held(&format_args!("round {round}")).unwrap();
        scene.lab.agent.done("group del other").unwrap();
    }
    scene.faults.disarm().unwrap();
    sleep(TIDIED);
    ledger.assert_held(&"tidied").unwrap();
}

/// An agent with two links.
fn two_links() -> Scene {
    with_room(ROOM)
}

/// The same, whose table has room for so many limits.
fn with_room(limits: usize) -> Scene {
    let limits = limits.to_string();
    let arguments = ["--iface", "lan0", "--iface", "lan1", "--max-limits", &limits];
    let scene = Scene::with(Router::with_lans(2).unwrap(), &arguments);
    // The first change takes steps that others do not.
    put_in_force(&scene.lab, &scene.apply(0));
    scene
}

/// What puts `policy` in force, from a file of this name.
fn file(scene: &Scene, name: &str, policy: &str) -> String {
    let path = scene.files.path().join(name);
    fs::write(&path, policy).unwrap();
    format!("apply {}", path.display())
}

/// What puts [`REFUSED`] in force, and the number of the step at which its last link is written.
fn refusal(scene: &mut Scene) -> (String, String) {
    let words = file(scene, "refused", REFUSED);
    let steps = scene.all_steps(|lab| lab.agent.done(&words).map(drop).unwrap());
    let link = steps.iter().rfind(|step| step.name == LINK_STEP).expect("links are written");
    (words, link.number.to_string())
}

fn put_in_force(lab: &Lab, words: &str) -> String {
    lab.agent.done(words).unwrap();
    policy(&lab.agent)
}

fn assert_refused(scene: &Scene, words: &str) {
    let outcome = scene.lab.agent.cli(words).unwrap();
    assert_eq!(outcome.code, Some(1), "{words}: {outcome:?}");
    assert!(outcome.stderr.contains("No space left on device"), "{words}: {outcome:?}");
}
