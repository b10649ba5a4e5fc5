//! A new agent takes over what an agent of an older layout has left in force.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_common::abi::VERSION;
use throttle_tests::agent::{Counters, Outcome};
use throttle_tests::bars::{Bar, Reading, assert_holds};
use throttle_tests::flood::Flood;
use throttle_tests::hooks::{self, has_clsact, still_loaded};
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::measure::Meter;
use throttle_tests::older::{self, OLDER};
use throttle_tests::require_root;
use throttle_tests::router::{End, Router, lan_prefix};
use throttle_tests::scenario::{SETTLED, ends};
use throttle_tests::traffic::{Direction, Family, MBIT, Transport};

const LINK: &str = "lan0";
const HOST: End = End::host(0);
const IDLE: End = End::host(1);
// Slow enough for emulated machines.
const LIMIT: u64 = 5 * MBIT;
const SECOND: Duration = Duration::from_secs(1);

fn lab(hook: &str) -> Lab {
    let lab = Lab::with(Router::new().unwrap(), &["--iface", LINK, "--hook", hook]).unwrap();
    lab.agent.done("group set acme --down 900mbit").unwrap();
    lab.limit_set("198.51.100.0/24 --match peer --action pass").unwrap();
    for family in Family::ALL {
        let words = "--up 5mbit --down 5mbit --group acme";
        lab.limit_set(&format!("{} {words}", lan_prefix(0, family))).unwrap();
    }
    lab
}

/// Limits and groups in force.
fn policy(lab: &Lab) -> String {
    ["limit list", "group list"].map(|words| lab.agent.done(words).unwrap()).concat()
}

fn counters(lab: &Lab, host: End, direction: Direction, family: Family) -> Counters {
    lab.agent.host(host.address(family)).unwrap().of(direction)
}

#[test]
fn an_older_layout_is_taken_over_without_a_gap_or_a_fresh_burst_in_any_second() {
    require_root!();
    for (hook, direction, family) in
        [("tcx", Direction::Up, Family::V4), ("clsact", Direction::Down, Family::V6)]
    {
        let mut lab = lab(hook);
        let before = policy(&lab);
        let (from, to) = ends(HOST, End::Server, direction);
        let meter = Meter::new(lab.router.namespace(to), family, Transport::Udp).unwrap();
        assert_holds(|| {
            let flood = Flood::new(&lab.router, from, to, family).rate(4 * LIMIT);
            flood.clone().start()?;
            lab.agent.kill()?;
            older::make(lab.agent.instance())?;
            let _flood = flood.start()?;
            sleep(SETTLED);
            let samples = std::thread::scope(|scope| {
                let sampling = scope.spawn(|| meter.series(SECOND, Instant::now() + 3 * SECOND));
                sleep(SECOND + SECOND / 2);
                lab.agent.restart()?;
                sampling.join().expect("sampling does not panic")
            })?;
            let seconds = samples.windows(2).enumerate().map(|(number, pair)| {
                let rate = pair[1].rate_since(&pair[0]).bits_per_second;
                let what = format!("{hook}, second {number}");
                Reading::new(what, rate, LIMIT as f64, "bit/s", Bar::Within(2.0))
            });
            Ok(seconds.collect())
        });
        assert_eq!(policy(&lab), before, "the policy is carried over");
        assert!(!older::pins(OLDER, lab.agent.instance()).exists(), "nothing is left to take over");
        let namespace = lab.router.namespace(End::Router);
        let programs = hooks::programs(namespace, LINK).unwrap();
        assert_eq!(programs.len(), 2, "one program at each hook");
    }
}

#[test]
fn counters_and_idle_times_survive_the_change_of_layout() {
    require_root!();
    let mut lab = lab("auto");
    let family = Family::V4;
    for host in [HOST, IDLE] {
        let flood = Flood::new(&lab.router, host, End::Server, family).rate(4 * LIMIT);
        let running = flood.start().unwrap();
        sleep(SECOND / 5);
        drop(running);
    }
    let before = [HOST, IDLE].map(|host| counters(&lab, host, Direction::Up, family));
    assert!(before.iter().all(|host| host.passed_packets > 0), "{before:?}");
    let idle_seconds = |lab: &Lab| {
        let words = format!("host show {}", IDLE.address(family));
        let host: serde_json::Value = lab.agent.json(&words).unwrap();
        host["last_seen_seconds_ago"].as_f64().expect("it was seen")
    };
    let (idle, begun) = (idle_seconds(&lab), Instant::now());
    lab.agent.kill().unwrap();
    older::make(lab.agent.instance()).unwrap();
    lab.agent.restart().unwrap();
    let after = [HOST, IDLE].map(|host| counters(&lab, host, Direction::Up, family));
    assert_eq!(
        before.map(|host| (host.passed_bytes, host.excess_packets)),
        after.map(|host| (host.passed_bytes, host.excess_packets))
    );
    let expected = idle + begun.elapsed().as_secs_f64();
    let found = idle_seconds(&lab);
    assert!((found - expected).abs() < 0.5, "idle for {found} s, expected {expected} s");
}

#[test]
fn an_agent_that_is_killed_on_the_way_leaves_the_rest_to_the_next() {
    require_root!();
    let mut lab = lab("auto");
    let before = policy(&lab);
    let instance = lab.agent.instance().to_owned();
    let namespace = lab.router.namespace(End::Router).name().to_owned();
    let all = std::fs::read_dir(older::pins(VERSION, &instance)).unwrap().count();
    // As an agent leaves them that is killed while it moves pins.
    for moved in [1, all / 2, all] {
        lab.agent.kill().unwrap();
        older::make(&instance).unwrap();
        older::move_some(&instance, moved).unwrap();
        lab.agent.restart().unwrap();
        assert_eq!(policy(&lab), before, "{moved} pins moved");
        assert!(!older::pins(OLDER, &instance).exists(), "{moved} pins moved");
    }
    let (from, to) = ends(HOST, End::Server, Direction::Up);
    let meter = Meter::new(lab.router.namespace(to), Family::V4, Transport::Udp).unwrap();
    let flood = Flood::new(&lab.router, from, to, Family::V4).rate(4 * LIMIT).start().unwrap();
    sleep(SETTLED);
    let first = meter.sample().unwrap();
    lab.agent.kill().unwrap();
    for delay_ms in [1, 20, 40, 60, 80, 100, 130, 160, 200, 250] {
        if older::pins(VERSION, &instance).join("CONFIG").exists()
            && !older::pins(OLDER, &instance).exists()
        {
            older::move_back(&instance).unwrap();
        }
        let mut command = lab.agent.command();
        command.args(["run", "--netns", &namespace]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut agent = command.spawn().unwrap();
        sleep(Duration::from_millis(delay_ms));
        agent.kill().unwrap();
        agent.wait().unwrap();
    }
    lab.agent.restart().unwrap();
    let rate = meter.sample().unwrap().rate_since(&first).bits_per_second;
    drop(flood);
    assert_eq!(policy(&lab), before);
    assert!(!older::pins(OLDER, &instance).exists());
    // At no time was there no limit: of what was offered, a quarter arrived.
    assert!(rate <= LIMIT as f64 * 1.05, "{rate} bit/s");
}

#[test]
fn detach_removes_an_older_layout_without_an_agent() {
    require_root!();
    for hook in ["tcx", "clsact"] {
        let mut lab = lab(hook);
        let namespace = lab.router.namespace(End::Router);
        let programs = hooks::programs(namespace, LINK).unwrap();
        assert_eq!(programs.len(), 2, "one program at each hook");
        lab.agent.kill().unwrap();
        older::make(lab.agent.instance()).unwrap();
        lab.agent.detach_all().unwrap();
        assert!(!older::pins(OLDER, lab.agent.instance()).exists());
        assert!(!has_clsact(lab.router.namespace(End::Router), LINK).unwrap());
        assert_eq!(still_loaded(&programs).unwrap(), [0; 0], "programs still loaded");
    }
}

#[test]
fn filters_that_do_not_tell_whose_they_are_are_replaced_without_a_gap_or_detached() {
    require_root!();
    let mut lab = lab("clsact");
    let namespace = lab.router.namespace(End::Router);
    let programs = || hooks::clsact_programs(namespace, LINK).unwrap();
    let mut ledger = Ledger::open(&lab.router, HOST, LIMIT).unwrap();
    lab.agent.kill().unwrap();
    older::age_filters(namespace, LINK).unwrap();
    let before = programs();
    lab.agent.restart().unwrap();
    let after = programs();
    assert_eq!((before.len(), after.len()), (2, 2), "one program at each hook");
    assert!(after.iter().all(|id| !before.contains(id)), "{before:?} replaced by {after:?}");
    ledger.assert_held(&"replaced").unwrap();
    lab.agent.kill().unwrap();
    older::age_filters(namespace, LINK).unwrap();
    lab.agent.detach_all().unwrap();
    assert!(programs().is_empty());
    assert!(!has_clsact(namespace, LINK).unwrap());
}

#[test]
fn a_layout_that_nobody_knows_is_refused_and_stays_in_force() {
    require_root!();
    let mut lab = lab("auto");
    lab.agent.kill().unwrap();
    let instance = lab.agent.instance().to_owned();
    let (known, unknown) = (older::pins(VERSION, &instance), older::pins(VERSION + 1, &instance));
    std::fs::create_dir_all(older::pins(VERSION + 1, "")).unwrap();
    std::fs::rename(&known, &unknown).unwrap();
    let namespace = lab.router.namespace(End::Router);
    let run = ["run", "--netns", namespace.name()];
    let refused = Outcome::of(lab.agent.command().args(run)).unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(&format!("have layout {}", VERSION + 1)), "{refused:?}");
    assert!(refused.stderr.contains("hint: "), "{refused:?}");
    assert!(!known.exists(), "nothing new is made beside it");
    let programs = hooks::programs(namespace, LINK).unwrap();
    assert_eq!(programs.len(), 2, "one program at each hook");
    std::fs::create_dir_all(older::pins(VERSION, "")).unwrap();
    std::fs::rename(&unknown, &known).unwrap();
    std::fs::remove_dir(older::pins(VERSION + 1, "")).unwrap();
    lab.agent.restart().unwrap();
}
