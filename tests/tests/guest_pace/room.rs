//! Where fq has no room for what a limit lets wait, that is told with the command that mends it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_tests::audit;
use throttle_tests::bars::assert_holds;
use throttle_tests::lab::Lab;
use throttle_tests::require_guest;
use throttle_tests::router::End;
use throttle_tests::traffic::{Family, MBIT, rate_argument};

use super::{DOWN, HOST, NOTICED, WINDOW, queue, warnings, with_fq, with_many_queues};

/// A burst of 250 ms is 208 packets and a third.
const HIGH: u64 = 10 * MBIT;
const TOO_MANY: &str = "a burst holds 209 of 1500b, and fq takes 100 of a flow";

#[test]
fn a_flow_loses_nothing_in_fq_once_the_advised_command_was_run() {
    require_guest!();
    let lab = with_fq();
    let words = limit(&lab, HIGH);
    let told = format!("lan0 may lose delayed packets of {}: {TOO_MANY}", HOST.prefix(Family::V4));
    assert!(words.contains(&told), "{words}");
    assert!(warnings(&lab).contains(TOO_MANY), "{}", warnings(&lab));
    let flood = || {
        let before = lost_in_fq(&lab);
        let audits = audit::floods(&lab, (HOST, End::Server), &DOWN[..1], WINDOW, |flood| {
            flood.rate(HIGH * 3 / 2)
        });
        (audits, lost_in_fq(&lab) - before)
    };
    let (_, lost) = flood();
    println!("{lost} packets lost in fq");
    assert!(lost > 0, "fq has room for more than it says");

    run_advice(&lab, &words);
    assert_holds(|| {
        let (audits, lost) = flood();
        let audits = audits?;
        audits[0].entry.assert_agrees();
        assert_eq!(lost, 0, "packets lost in fq");
        Ok(vec![audits[0].reading(HIGH, 2.0)])
    });
}

#[test]
fn a_burst_beyond_the_horizon_is_told_of_until_the_advised_command_was_run() {
    require_guest!();
    let lab = with_fq();
    let words = limit(&lab, 8000);
    let told = "a burst lasts 65536ms, and fq drops what would wait longer than 10s;";
    assert!(words.contains(told), "{words}");
    assert!(warnings(&lab).contains(told), "{}", warnings(&lab));
    run_advice(&lab, &words);
}

#[test]
fn every_queue_of_mq_has_to_have_room() {
    require_guest!();
    let lab = with_many_queues();
    let words = limit(&lab, HIGH);
    assert!(words.contains(TOO_MANY), "{words}");
    let advised =
        "`tc qdisc replace dev many0 parent 1:N fq flow_limit 256` for each queue N of mq";
    assert!(words.contains(advised), "{words}");
    queue(lab.router.namespace(End::Router), 1, "fq flow_limit 256");
    sleep(NOTICED / 3);
    assert!(warnings(&lab).contains(TOO_MANY), "{}", warnings(&lab));
    queue(lab.router.namespace(End::Router), 2, "fq flow_limit 256");
    wait_until_quiet(&lab);
}

/// Limits what the host is sent; returns what the agent says to it.
fn limit(lab: &Lab, bits_per_second: u64) -> String {
    let (prefix, rate) = (HOST.prefix(Family::V4), rate_argument(bits_per_second));
    let words = format!("limit set {prefix} --down {rate} --action pace");
    let outcome = lab.agent.cli(&words).unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stderr
}

/// Runs the command between back quotes, and waits until nothing is warned of any more.
fn run_advice(lab: &Lab, words: &str) {
    let command = words.split('`').nth(1).and_then(|command| command.strip_prefix("tc "));
    let command = command.unwrap_or_else(|| panic!("no command: {words}"));
    lab.router.namespace(End::Router).tc(command).unwrap();
    wait_until_quiet(lab);
}

fn wait_until_quiet(lab: &Lab) {
    let start = Instant::now();
    while warnings(lab) != "[]" {
        assert!(start.elapsed() < NOTICED, "{}", warnings(lab));
        sleep(Duration::from_millis(100));
    }
}

/// Packets that fq on the limited link has dropped.
fn lost_in_fq(lab: &Lab) -> u64 {
    let shown = lab.router.namespace(End::Router).tc("-s qdisc show dev lan0 root").unwrap();
    let count = shown.split("(dropped ").nth(1).and_then(|rest| rest.split(',').next());
    count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{shown}"))
}
