//! Agents that are killed while they save changes: what was acknowledged is never lost, and what was not
//! is there as a whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::Value;
use throttle_tests::agent::Agent;
use throttle_tests::netns::Namespace;
use throttle_tests::require_root;

/// How often the agent is killed, each time a little later.
const KILLS: u64 = 8;

/// Prefixes that are changed in turn.
const PREFIXES: u64 = 5;

fn rates(agent: &Agent) -> BTreeMap<String, u64> {
    let limits: Vec<Value> = agent.json("limit list").unwrap();
    let rate = |limit: &Value| {
        let rate = limit["down"]["bits_per_second"].as_u64().unwrap();
        (limit["prefix"].as_str().unwrap().to_owned(), rate)
    };
    limits.iter().map(rate).collect()
}

#[test]
fn acknowledged_changes_survive_kills_at_any_instant() {
    require_root!();
    let namespace = Namespace::new("saved").unwrap();
    let mut agent = Agent::start(&namespace, &["--iface", "lo"]).unwrap();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    let mut number = 8_000;
    for round in 0..KILLS {
        let killed = AtomicBool::new(false);
        let command = |words: &str| {
            let mut command = agent.command();
            command.args(words.split_whitespace());
            command
        };
        let process = agent.process_id().unwrap();
        let mut pending = None;
        scope(|scope| {
            scope.spawn(|| {
                sleep(Duration::from_millis(60 + 37 * round));
                let process = nix::unistd::Pid::from_raw(process as i32);
                nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
                killed.store(true, Ordering::Relaxed);
            });
            while !killed.load(Ordering::Relaxed) {
                number += 1;
                let prefix = format!("10.0.{}.0/24", number % PREFIXES);
                let words = format!("limit set {prefix} --down {number}bit");
                let outcome = throttle_tests::agent::Outcome::of(&mut command(&words)).unwrap();
                if outcome.code == Some(0) {
                    acknowledged.insert(prefix, number);
                } else {
                    pending = Some((prefix, number));
                    break;
                }
            }
        });
        agent.kill().unwrap();
        agent.restart().unwrap();
        let found = rates(&agent);
        let mut with_pending = acknowledged.clone();
        with_pending.extend(pending);
        assert!(
            found == acknowledged || found == with_pending,
            "round {round}: {found:?}, acknowledged {acknowledged:?}"
        );
        acknowledged = found;
    }
    assert!(!acknowledged.is_empty());
}

#[test]
fn a_change_that_cannot_be_saved_is_refused() {
    require_root!();
    let namespace = Namespace::new("saved").unwrap();
    let agent = Agent::start(&namespace, &["--iface", "lo"]).unwrap();
    agent.done("limit set 10.0.0.0/24 --down 8kbit").unwrap();
    let journal = agent.saved().join("changes.journal");
    let aside = agent.saved().join("aside");
    // What stands where the journal should cannot be written to.
    fs::rename(&journal, &aside).unwrap();
    fs::create_dir(&journal).unwrap();
    let before = rates(&agent);
    for words in
        ["limit set 10.0.1.0/24 --down 8kbit", "limit del 10.0.0.0/24", "link set lo --up 1mbit"]
    {
        let outcome = agent.cli(words).unwrap();
        assert_eq!(outcome.code, Some(1), "{words}: {outcome:?}");
        assert!(outcome.stderr.contains("saving the change in "), "{outcome:?}");
        assert!(outcome.stderr.contains("nothing was changed"), "{outcome:?}");
        assert_eq!(rates(&agent), before);
    }
    fs::remove_dir(&journal).unwrap();
    fs::rename(&aside, &journal).unwrap();
    agent.done("limit set 10.0.1.0/24 --down 8kbit").unwrap();
}

#[test]
fn what_is_saved_is_for_root_alone_and_damage_is_told() {
    require_root!();
    let namespace = Namespace::new("saved").unwrap();
    let mut agent = Agent::start(&namespace, &["--iface", "lo"]).unwrap();
    agent.done("limit set 10.0.0.0/24 --down 8kbit").unwrap();
    agent.done("limit set 10.0.1.0/24 --down 8kbit").unwrap();
    let journal = agent.saved().join("changes.journal");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&agent.saved()), mode(&journal)), (0o700, 0o600));
    agent.kill().unwrap();
    let sound = fs::read(&journal).unwrap();
    let mut damaged = sound.clone();
    damaged[30] ^= 1;
    fs::write(&journal, damaged).unwrap();
    fs::set_permissions(&journal, Permissions::from_mode(0o600)).unwrap();
    let error = format!("{:#}", agent.restart().unwrap_err());
    assert!(error.contains("reading the journal of saved changes in "), "{error}");
    fs::write(&journal, sound).unwrap();
    agent.restart().unwrap();
    assert_eq!(rates(&agent).len(), 2);
}
