//! Errors of the command line: one line, the accepted form, the designed exit code, nothing changed.

use std::process::Command;

use serde_json::Value;
use throttle_tests::agent::{self, Outcome};
use throttle_tests::lab::Lab;
use throttle_tests::leftovers;
use throttle_tests::netns::{Namespace, unique_name};
use throttle_tests::public::PublicBinary;
use throttle_tests::require_root;
use throttle_tests::restrict::{without_bpf, without_privileges};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NO_SUCH: i32 = 3;
const NOT_PERMITTED: i32 = 4;
const NOT_RUNNING: i32 = 5;
const KERNEL_CANNOT: i32 = 6;

#[test]
fn a_prefix_nobody_gave_is_named() {
    require_root!();
    let lab = lab();
    assert_refused(&lab, "limit del 10.99.0.0/16", NO_SUCH, &["10.99.0.0/16"]);
    assert_refused(&lab, "limit show 10.99.0.0/16", NO_SUCH, &["10.99.0.0/16"]);
    assert_refused(&lab, "limit show fd99::/64", NO_SUCH, &["fd99::/64"]);
    assert_refused(&lab, "host show 10.99.0.1", NO_SUCH, &["10.99.0.1"]);
}

#[test]
fn with_json_errors_are_json_too() {
    require_root!();
    let lab = lab();
    for (words, code, kind) in [
        ("-j limit show 10.99.0.0/16", NO_SUCH, "not_found"),
        ("limit set 10.77.0.0/24 --down 10 --json", USAGE, "usage"),
        ("limit set 10.77.0.0/24 --down 1mbit --group nobody -j", NO_SUCH, "not_found"),
    ] {
        let outcome = lab.agent.cli(words).unwrap();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{outcome:?}");
        let said: Value = serde_json::from_str(&outcome.stderr).unwrap();
        assert_eq!(said["error"]["kind"], kind, "{outcome:?}");
        assert_eq!(said["error"]["exit_code"], code, "{outcome:?}");
        assert!(said["error"]["message"].is_string(), "{outcome:?}");
    }
}

#[test]
fn bad_units_are_answered_with_good_ones() {
    require_root!();
    let lab = lab();
    for bad in ["10", "ten", "-1mbit", ""] {
        let words = format!("limit set 10.77.0.0/24 --down={bad}");
        assert_refused(&lab, &words, USAGE, &["10mbit"]);
    }
    for bad in ["10x", "10mbits"] {
        let words = format!("limit set 10.77.0.0/24 --down={bad}");
        assert_refused(&lab, &words, USAGE, &["kbit, mbit, gbit", "kbps, mbps or gbps"]);
    }
    let ambiguous = "limit set 10.77.0.0/24 --down 10Mbps";
    assert_refused(&lab, ambiguous, USAGE, &["10mbit", "10mbps"]);
    assert_refused(&lab, "limit set 10.77.0.0/24 --down 1mbit --burst 5", USAGE, &["kb", "ms"]);
    assert_refused(&lab, "limit set 10.77.0.0/24 --down-pps 5mbit", USAGE, &["pps"]);
}

#[test]
fn a_bad_prefix_is_answered_with_a_good_one() {
    require_root!();
    let lab = lab();
    for bad in ["10.77.0.0/33", "10.77.0", "host.example", "10.77.0.1/24"] {
        assert_refused(&lab, &format!("limit set {bad} --down 1mbit"), USAGE, &[bad, "10."]);
    }
}

#[test]
fn a_total_that_conflicts_is_refused_with_both_names() {
    require_root!();
    let lab = lab();
    let bits = "limit set 10.77.0.0/24 --down 5mbit --total 9mbit";
    assert_refused(&lab, bits, USAGE, &["--total", "--down"]);
    let packets = "limit set 10.77.0.0/24 --up-pps 50pps --total-pps 90pps";
    assert_refused(&lab, packets, USAGE, &["--total-pps", "--up-pps"]);
}

#[test]
fn what_does_not_go_together_is_refused_with_both_names() {
    require_root!();
    let lab = lab();
    let set = |words: &str, said: &[&str]| {
        assert_refused(&lab, &format!("limit set 10.77.0.0/24 {words}"), USAGE, said);
    };
    set("--down 1mbit --match peer", &["--match peer", "--action drop"]);
    set("--down 1mbit --action pass", &["--action pass", "--down"]);
    set("--down 1mib/100ms --burst 1mb", &["--burst", "--down 1mb/100ms"]);
    set("--down-pps 10/10ms --pps-burst 9", &["--pps-burst", "--down-pps 10/10ms"]);
    set("--down-pps 10 --one-time-burst 1mb", &["--one-time-burst", "--down"]);
    set("--down 1mbit --packet-unit 1kb", &["--packet-unit", "--down-pps"]);
    set("--down 1mbit --action stop", &["drop, ecn, dscp:CLASS, mark:N, pace"]);
    assert_refused(&lab, "group set acme", USAGE, &["--down"]);
    assert_refused(&lab, "link set lan0 --up 1mbit --total 1mbit", USAGE, &["--total", "--up"]);
}

#[test]
fn a_group_or_link_that_is_not_there_is_named() {
    require_root!();
    let lab = lab();
    assert_refused(&lab, "group show acme", NO_SUCH, &["acme", "group list"]);
    assert_refused(&lab, "group del acme", NO_SUCH, &["acme"]);
    assert_refused(&lab, "link show nosuch0", NO_SUCH, &["nosuch0", "lan0"]);
    assert_refused(&lab, "link set nosuch0 --up 1mbit", NO_SUCH, &["nosuch0", "lan0"]);
    assert_refused(&lab, "limit show 10.77.0.0/24 --match peer", NO_SUCH, &["(peer)"]);
}

#[test]
fn an_ipv6_prefix_longer_than_a_host_is_refused_with_the_length_in_force() {
    require_root!();
    let lab = lab();
    for words in
        ["limit set fd77::7/128 --down 1mbit", "limit show fd77::7/128", "host show fd77::7/128"]
    {
        assert_refused(&lab, words, USAGE, &["/64", "fd77::/64"]);
    }
    assert_refused(&lab, "host show fd77::7", NO_SUCH, &["fd77::/64"]);
}

#[test]
fn a_missing_privilege_is_named() {
    require_root!();
    let lab = lab();
    let binary = PublicBinary::new().unwrap();
    let run =
        Outcome::of(without_privileges(binary.command().args(["run", "--iface", "lo"]))).unwrap();
    assert_words(&run, NOT_PERMITTED, &["CAP_"]);
    let before = state(&lab);
    let words = ["--instance", lab.agent.instance(), "limit", "del", "10.77.0.0/24"];
    let deleted = Outcome::of(without_privileges(binary.command().args(words))).unwrap();
    assert_words(&deleted, NOT_PERMITTED, &["root"]);
    assert_eq!(state(&lab), before);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    require_root!();
    let namespace = Namespace::new("empty").unwrap();
    assert_run_refused(&["--netns", namespace.name(), "--iface", "nosuch0"], FAILED, &["nosuch0"]);
}

#[test]
fn a_namespace_that_is_not_there_is_named() {
    require_root!();
    assert_run_refused(&["--netns", "nosuchns", "--iface", "lo"], FAILED, &["nosuchns"]);
}

#[test]
fn an_agent_that_does_not_run_is_named() {
    require_root!();
    let instance = unique_name();
    for words in ["limit list", "stats", "status", "limit set 10.0.0.0/8 --down 1mbit"] {
        let mut command = Command::new(agent::binary());
        command.args(["--instance", &instance]).args(words.split_whitespace());
        assert_words(
            &Outcome::of(&mut command).unwrap(),
            NOT_RUNNING,
            &[&instance, "throttle-agent"],
        );
    }
    assert!(leftovers::of_instance(&instance).is_empty());
}

#[test]
fn a_kernel_without_bpf_is_named() {
    require_root!();
    let namespace = Namespace::new("nobpf").unwrap();
    let instance = unique_name();
    let mut command = Command::new(agent::binary());
    command.args(["--instance", &instance, "run", "--netns", namespace.name(), "--iface", "lo"]);
    let outcome = Outcome::of(without_bpf(&mut command)).unwrap();
    assert_words(&outcome, KERNEL_CANNOT, &["CONFIG_BPF_SYSCALL"]);
    assert!(leftovers::of_instance(&instance).is_empty());
}

/// An agent with one limit, so that a change would show.
fn lab() -> Lab {
    let lab = Lab::new().unwrap();
    lab.limit_set("10.77.0.0/24 --down 3mbit").unwrap();
    lab
}

fn state(lab: &Lab) -> Value {
    lab.agent.json("limit list").unwrap()
}

fn assert_refused(lab: &Lab, words: &str, code: i32, said: &[&str]) {
    let before = state(lab);
    assert_words(&lab.agent.cli(words).unwrap(), code, said);
    assert_eq!(state(lab), before, "{words} changed the limits");
}

fn assert_run_refused(arguments: &[&str], code: i32, said: &[&str]) {
    let instance = unique_name();
    let mut command = Command::new(agent::binary());
    command.args(["--instance", &instance, "run"]).args(arguments);
    assert_words(&Outcome::of(&mut command).unwrap(), code, said);
    assert!(leftovers::of_instance(&instance).is_empty());
}

/// Nothing on standard output; on standard error one line with all of `said`, and at most a hint.
fn assert_words(outcome: &Outcome, code: i32, said: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert!(!lines.is_empty() && lines.len() <= 2, "{outcome:?}");
    assert!(lines.iter().skip(1).all(|line| line.starts_with("hint: ")), "{outcome:?}");
    for word in said {
        assert!(outcome.stderr.contains(word), "{word} is not in {outcome:?}");
    }
}
