//! A disk that is full when a change is to be saved.

use std::collections::BTreeMap;
use std::fs;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;
use throttle_tests::agent::Agent;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::restrict::with_own_mounts;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

#[test]
fn a_full_disk_refuses_changes_and_nothing_else_until_there_is_room() {
    require_root!();
    let router = Router::new().unwrap();
    with_own_mounts(|| {
        let mut agent = Agent::start(router.namespace(End::Router), &["--iface", "lan0"]).unwrap();
        let disk = agent.saved().parent().unwrap().to_owned();
        fs::create_dir_all(&disk).unwrap();
        mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
        agent.done("limit set 10.77.0.10/32 --down 5mbit").unwrap();
        let mut ledger = Ledger::open(&router, End::host(0), 5 * MBIT).unwrap();
        let (filler, before) = (disk.join("filler"), rates(&agent));
        fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
        // What is left of the journal's last page is filled as well.
        let refused = (1..100).find_map(|number| {
            let outcome = agent.cli(&format!("limit set 10.8.0.0/24 --down {number}mbit")).unwrap();
            (outcome.code != Some(0)).then_some(outcome)
        });
        let refused = refused.expect("a full disk takes a hundred changes");
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for words in ["saving the change in ", "No space left on device", "nothing was changed"] {
            assert!(refused.stderr.contains(words), "{words}: {refused:?}");
        }
        let found = rates(&agent);
        assert_eq!(found["10.77.0.10/32"], before["10.77.0.10/32"]);
        let policy = "[[limit]]\nprefix = \"10.77.0.10/32\"\ndown = \"9mbit\"\n";
        let file = disk.with_extension("toml");
        fs::write(&file, policy).unwrap();
        let refused = agent.cli(&format!("apply {}", file.display())).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert_eq!(rates(&agent), found);
        ledger.assert_held(&"full").unwrap();
        fs::remove_file(&filler).unwrap();
        agent.done("limit set 10.9.0.0/24 --down 1mbit").unwrap();
        let after = rates(&agent);
        assert_eq!(after.len(), found.len() + 1);
        agent.kill().unwrap();
        agent.restart().unwrap();
        assert_eq!(rates(&agent), after, "what was in force is what was saved");
        ledger.assert_held(&"restarted").unwrap();
        drop(ledger);
        agent.detach_all().unwrap();
        agent.end().unwrap();
        umount2(&disk, MntFlags::MNT_DETACH).unwrap();
        fs::remove_dir(&disk).unwrap();
    })
    .unwrap();
}

/// Down rates by prefix.
fn rates(agent: &Agent) -> BTreeMap<String, u64> {
    let limits: Vec<Value> = agent.json("limit list").unwrap();
    let rate = |limit: &Value| {
        let rate = limit["down"]["bits_per_second"].as_u64().unwrap();
        (limit["prefix"].as_str().unwrap().to_owned(), rate)
    };
    limits.iter().map(rate).collect()
}
