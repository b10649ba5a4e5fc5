//! Messages of the eBPF program in the agent's log: on request only.

use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::{Direction, Family, MBIT};

const HOST: End = End::host(0);
/// How the log names the eBPF program.
const PROGRAM: &str = "throttle_ebpf";
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn messages_of_the_program_reach_the_log_when_asked_for() {
    require_root!();
    let lab = refusing(&["--iface", "lan0", "--kernel-log", "debug"]);
    let deadline = Instant::now() + PATIENCE;
    while !lab.agent.log().lines().any(is_refusal) {
        assert!(Instant::now() < deadline, "{}", lab.agent.log_tail());
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_program_is_silent_unless_asked() {
    require_root!();
    for quiet in [&["--iface", "lan0"][..], &["--iface", "lan0", "--kernel-log", "error"]] {
        let lab = refusing(quiet);
        let refused = lab.agent.host(HOST.address(Family::V4)).unwrap().up.excess_packets;
        assert!(refused > 0, "nothing was refused");
        assert!(!lab.agent.log().contains(PROGRAM), "{}", lab.agent.log_tail());
    }
}

/// A lab whose agent was started with `arguments` and has refused packets.
fn refusing(arguments: &[&str]) -> Lab {
    let lab = Lab::with(Router::new().unwrap(), arguments).unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, MBIT).unwrap();
    let flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * MBIT);
    let flood = flood.start().unwrap();
    sleep(Duration::from_secs(1));
    drop(flood);
    lab
}

fn is_refusal(line: &str) -> bool {
    line.contains(PROGRAM) && line.contains("refused 1500 bytes")
}
