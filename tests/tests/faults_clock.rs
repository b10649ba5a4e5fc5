//! Clocks that are far from the one that the program reads.
//!
//! Time namespaces give processes a monotonic clock and one of the time since boot that have jumped. The wall
//! clock cannot be set for a process alone, and nothing but the time that events are shown with is taken from it:
//! what is saved has no times.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use throttle_tests::agent;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::traffic::{Family, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 5 * MBIT;
/// Idle hosts are looked for every two seconds.
const TWO_SEARCHES: Duration = Duration::from_millis(4500);

#[test]
fn an_agent_whose_clocks_have_jumped_gives_nobody_a_fresh_burst() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    // Hosts that traffic makes are forgotten when they are idle, and with them their debt.
    lab.limit_set("10.77.0.0/24 --scope each --down 5mbit").unwrap();
    let Lab { agent, router } = &mut lab;
    let mut ledger = Ledger::open(router, HOST, LIMIT).unwrap();
    for jump in ["86400", "-1000"] {
        agent.kill().unwrap();
        let mut launcher = Command::new("unshare");
        let arguments = [format!("--monotonic={jump}"), format!("--boottime={jump}")];
        launcher.arg("--time").args(arguments).arg(agent::binary());
        agent.restart_by(launcher).unwrap();
        sleep(TWO_SEARCHES);
        ledger.assert_held(&format_args!("clocks {jump} s ahead")).unwrap();
        let words = format!("host show {}", HOST.address(Family::V4));
        let host: Value = agent.json(&words).unwrap();
        let seen = host["last_seen_seconds_ago"].as_f64().unwrap();
        assert!((0.0..1.0).contains(&seen), "clocks {jump} s ahead: last seen {seen} s ago");
    }
}
