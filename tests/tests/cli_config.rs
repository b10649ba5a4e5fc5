//! Files on the command line: checked, planned, put in force, exported, imported.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use throttle_tests::agent::{self, Agent, Outcome};
use throttle_tests::folder::Folder;
use throttle_tests::netns::Namespace;
use throttle_tests::require_root;

const FAILED: i32 = 1;
const USAGE: i32 = 2;

const POLICY: &str = "\
[[link]]
interface = \"l*\"
down = \"1gbit\"

[[group]]
name = \"acme\"
down = \"100mbit\"

[[limit]]
prefix = \"10.0.0.0/24\"
down = \"10mbit\"
group = \"acme\"

[[limit]]
prefixes = [\"10.0.1.0/24\", \"2001:db8::/56\"]
scope = \"shared\"
total = \"1mib/100ms\"
total_pps = 500
action = \"pace:20ms\"
";

/// Writes a file and returns its path.
fn write(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn agent() -> (Agent, Namespace) {
    let namespace = Namespace::new("config").unwrap();
    (Agent::start(&namespace, &["--iface", "lo"]).unwrap(), namespace)
}

fn state(agent: &Agent) -> (Value, Value, Value) {
    let read = |words| agent.json(words).unwrap();
    (read("limit list"), read("group list"), read("link list"))
}

fn check(file: &str) -> Outcome {
    Outcome::of(Command::new(agent::binary()).args(["check", file])).unwrap()
}

#[test]
fn a_sound_file_is_checked_without_an_agent() {
    let folder = Folder::new().unwrap();
    let outcome = check(&write(&folder, "a.toml", POLICY));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("is sound: 1 link, 1 group, 3 limits"), "{outcome:?}");
}

#[test]
fn the_example_of_the_package_is_sound() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let outcome = check(&workspace.join("packaging/example.toml").display().to_string());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
}

#[test]
fn a_file_with_mistakes_is_refused_with_all_of_them() {
    let folder = Folder::new().unwrap();
    let text = POLICY.replace("10mbit", "10").replace("scope", "skope");
    let file = write(&folder, "a.toml", &text);
    let outcome = check(&file);
    assert_eq!(outcome.code, Some(USAGE), "{outcome:?}");
    for expected in [
        format!("error: {file} has 2 mistakes"),
        format!("{file}:11:8: down: rate \"10\" has no unit: write 10mbit"),
        format!("{file}:16:1: unknown key skope in [[limit]]: did you mean scope?"),
    ] {
        assert!(outcome.stderr.contains(&expected), "{expected} is not in {outcome:?}");
    }
}

#[test]
fn a_file_is_planned_put_in_force_once_and_exported() {
    require_root!();
    let (folder, (agent, _namespace)) = (Folder::new().unwrap(), agent());
    agent.done("limit set 10.9.0.0/16 --down 1mbit").unwrap();
    agent.done("limit set 10.0.0.0/24 --down 5mbit").unwrap();
    let before = state(&agent);
    let file = write(&folder, "a.toml", POLICY);

    let plan = agent.done(&format!("apply {file} --dry-run")).unwrap();
    let lines: Vec<_> = plan.lines().collect();
    assert_eq!(lines.len(), 6, "{plan}");
    assert!(lines[0].starts_with("+ group acme: down 100mbit"), "{plan}");
    assert!(lines[1].starts_with("+ link lo: down 1gbit"), "{plan}");
    assert!(lines[2].starts_with("- limit 10.9.0.0/16"), "{plan}");
    assert!(
        lines[3].starts_with("~ limit 10.0.0.0/24: down 5mbit burst 156250b -> 10mbit"),
        "{plan}"
    );
    assert_eq!(state(&agent), before, "a dry run changes nothing");

    let applied = agent.cli(&format!("apply {file}")).unwrap();
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(applied.stderr.contains("set 3 limits, deleted 1 limit"), "{applied:?}");
    let in_force = state(&agent);
    let again = agent.cli(&format!("apply {file}")).unwrap();
    assert!(again.stderr.contains("nothing changed"), "{again:?}");
    let plan = agent.cli(&format!("apply {file} --dry-run")).unwrap();
    assert_eq!(plan.stdout, "");
    assert!(plan.stderr.contains("nothing would change"), "{plan:?}");

    let exported = write(&folder, "exported.toml", &agent.done("export").unwrap());
    agent.done("limit del 10.0.0.0/24").unwrap();
    agent.done("link set lo").unwrap();
    agent.done(&format!("apply {exported}")).unwrap();
    assert_eq!(state(&agent), in_force);
}

#[test]
fn what_cannot_be_put_in_force_changes_nothing() {
    require_root!();
    let (folder, (agent, _namespace)) = (Folder::new().unwrap(), agent());
    agent.done("limit set 10.9.0.0/16 --down 1mbit").unwrap();
    let before = state(&agent);
    let broken = write(&folder, "a.toml", "[[limit]]\nprefix = \"10.0.0.0/8\"\n");
    assert_eq!(agent.cli(&format!("apply {broken}")).unwrap().code, Some(USAGE));
    let outcome = agent.cli("reload").unwrap();
    assert_eq!(outcome.code, Some(FAILED));
    assert!(outcome.stderr.contains("without a configuration file"), "{outcome:?}");
    assert_eq!(state(&agent), before);
}

#[test]
fn links_that_are_not_attached_and_settings_of_the_next_start_earn_warnings() {
    require_root!();
    let (folder, (agent, _namespace)) = (Folder::new().unwrap(), agent());
    let text = "[agent]\nmax_hosts = 7\n[[link]]\ninterface = \"wan0\"\ndown = \"1mbit\"\n";
    let outcome = agent.cli(&format!("apply {}", write(&folder, "a.toml", text))).unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let told = "[agent] max_hosts takes effect at the first start after `detach --all`";
    assert!(outcome.stderr.contains(told), "{outcome:?}");
    assert!(outcome.stderr.contains("link wan0 is not attached here"), "{outcome:?}");
}

#[test]
fn warnings_and_exports_go_by_the_tables_in_use() {
    require_root!();
    let (folder, namespace) = (Folder::new().unwrap(), Namespace::new("config").unwrap());
    let first = "[agent]\nipv6_host_prefix = 56\nmax_limits = 100\n";
    let file = write(&folder, "agent.toml", first);
    let mut agent = Agent::start(&namespace, &["--config", &file]).unwrap();
    agent.kill().unwrap();
    let second = "[agent]\nipv6_host_prefix = 60\nmax_limits = 200\nmax_hosts = 65536\n";
    write(&folder, "agent.toml", second);
    agent.restart().unwrap();

    let told = agent.cli("reload").unwrap().stderr;
    for key in ["ipv6_host_prefix", "max_limits"] {
        assert!(told.contains(&format!("[agent] {key} takes effect")), "{told}");
    }
    assert!(!told.contains("max_hosts takes effect"), "{told}");
    assert!(agent.done("export").unwrap().contains("ipv6_host_prefix = 56\n"));

    write(&folder, "agent.toml", first);
    let told = agent.cli("reload").unwrap().stderr;
    assert!(!told.contains("takes effect"), "{told}");
}

#[test]
fn subscribers_are_added_beside_what_is_in_force() {
    require_root!();
    let (folder, (agent, _namespace)) = (Folder::new().unwrap(), agent());
    agent.done("group set acme --down 100mbit").unwrap();
    agent.done("limit set 10.0.0.0/24 --down 5mbit").unwrap();
    let file = write(&folder, "a.csv", "address,up,down\n10.0.0.7,2mbit,10mbit\n10.0.0.8,,8mbit\n");
    let plan = agent.done(&format!("import {file} --group acme --dry-run")).unwrap();
    assert_eq!(
        plan.lines().filter(|line| line.starts_with("+ limit 10.0.0.")).count(),
        2,
        "{plan}"
    );
    assert_eq!(plan.lines().count(), 2, "{plan}");
    agent.done(&format!("import {file} --group acme")).unwrap();
    let limits: Value = agent.json("limit list").unwrap();
    assert_eq!(limits.as_array().unwrap().len(), 3, "{limits}");
    let limit: Value = agent.json("limit show 10.0.0.7").unwrap();
    assert_eq!(
        (&limit["group"], &limit["down"]["bits_per_second"]),
        (&"acme".into(), &10_000_000.into())
    );

    let before = state(&agent);
    let broken = write(&folder, "b.csv", "address,up,down\n10.0.0.9,2mbit,10mbit\n10.0.0.10,x,\n");
    let outcome = agent.cli(&format!("import {broken}")).unwrap();
    assert_eq!(outcome.code, Some(USAGE));
    assert!(outcome.stderr.contains("b.csv:3: up: rate \"x\""), "{outcome:?}");
    let unknown = agent.cli(&format!("import {file} --group nosuch")).unwrap();
    assert_eq!(unknown.code, Some(USAGE), "{unknown:?}");
    assert_eq!(state(&agent), before);
}
