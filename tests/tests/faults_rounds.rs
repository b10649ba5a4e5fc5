//! Agents that are killed at random moments of their work, and started again, under a flood.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use throttle_tests::agent::{self, Agent};
use throttle_tests::faults;
use throttle_tests::folder::Folder;
use throttle_tests::hooks;
use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::random::Random;
use throttle_tests::require_root;
use throttle_tests::restrict::is_full;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::MBIT;

const HOST: End = End::host(0);
const MOST: u64 = 5 * MBIT;
/// How many rounds to run, in place of as many as [`TIME`] has room for.
const ROUNDS: &str = "THROTTLE_FAULT_ROUNDS";
/// As many in a full run.
const MANY: u64 = 1000;
const TIME: Duration = Duration::from_secs(20);
/// About as long as a start takes.
const START: Duration = Duration::from_millis(900);
/// About as long as a change takes, or a few, from the command on.
const CHANGE: Duration = Duration::from_millis(40);

/// What the agent is killed in the midst of.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Start,
    LimitSet,
    Apply,
    Idle,
}

#[test]
fn kills_at_random_moments_lose_no_limit_and_no_policy() {
    require_root!();
    let seed = faults::seed();
    let mut random = Random::new(seed);
    let mut lab = Lab::with(Router::new().unwrap(), &["--iface", "lan0"]).unwrap();
    let Lab { agent, router } = &mut lab;
    let mut next = 1;
    let folder = Folder::new().unwrap();
    let file = folder.path().join("policy.toml");
    apply(agent, &file, next).stdout(Stdio::null()).status().unwrap();
    let mut acknowledged = policy(agent);
    let mut ledger = Ledger::open(router, HOST, MOST).unwrap();
    let (begun, rounds) = (Instant::now(), faults::number(ROUNDS).or(is_full().then_some(MANY)));
    let mut done = 0;
    while rounds.map_or(begun.elapsed() < TIME, |rounds| done < rounds) {
        let moment = random.pick(&[Moment::Start, Moment::LimitSet, Moment::Apply, Moment::Idle]);
        let what = format!("seed {seed}, round {done}, {moment:?}");
        next += 1;
        let answer = kill_in(moment, (agent, router), (&file, next), &mut random);
        agent.restart().unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let found = policy(agent);
        match answer {
            None | Some(false) if found == acknowledged => {}
            None => panic!("{what}: {found:?} in place of {acknowledged:?}"),
            // What was asked for may be in force before it is acknowledged; nothing else may.
            Some(_) => assert_eq!(found, expected(moment, next, &acknowledged), "{what}"),
        }
        acknowledged = found;
        ledger.assert_held(&what).unwrap();
        done += 1;
    }
    println!("{done} rounds in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(done > 0);
    let programs = hooks::programs(router.namespace(End::Router), "lan0").unwrap();
    assert_eq!(programs.len(), 2, "one program at each hook, however many agents there were");
}

/// Kills the agent in the midst of a moment's work; returns whether a change that it was asked for, the `number`th, was
/// acknowledged, if there was one.
fn kill_in(
    moment: Moment,
    (agent, router): (&mut Agent, &Router),
    (file, number): (&Path, u64),
    random: &mut Random,
) -> Option<bool> {
    let mut command = match moment {
        Moment::Start => {
            agent.kill().unwrap();
            start_for(agent, router, random.time_below(START));
            return None;
        }
        Moment::Idle => {
            sleep(random.time_below(CHANGE));
            agent.kill().unwrap();
            return None;
        }
        Moment::LimitSet => limit_set(agent, number),
        Moment::Apply => apply(agent, file, number),
    };
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(random.time_below(CHANGE));
    agent.kill().unwrap();
    Some(process.wait().unwrap().success())
}

/// Prefixes and rates, in bits per second, of all limits.
fn policy(agent: &Agent) -> Vec<(String, u64)> {
    let limits: Vec<serde_json::Value> = agent.json("limit list").unwrap();
    let limit = |limit: &serde_json::Value| {
        let rate = limit["down"]["bits_per_second"].as_u64()?;
        Some((limit["prefix"].as_str()?.to_owned(), rate))
    };
    let mut limits: Vec<_> = limits.iter().map(|found| limit(found).unwrap()).collect();
    limits.sort();
    limits
}

/// The policy that a change with this number leads to.
fn expected(moment: Moment, number: u64, before: &[(String, u64)]) -> Vec<(String, u64)> {
    let own = (HOST_PREFIX.to_owned(), rate(number));
    let others = match moment {
        Moment::Apply => (0..5).map(|other| (prefix(other), rate(number))).collect(),
        Moment::LimitSet | Moment::Start | Moment::Idle => {
            before.iter().filter(|(prefix, _)| prefix != HOST_PREFIX).cloned().collect::<Vec<_>>()
        }
    };
    let mut all = [others, vec![own]].concat();
    all.sort();
    all
}

const HOST_PREFIX: &str = "10.77.0.10/32";

fn prefix(number: u64) -> String {
    format!("10.9.{number}.0/24")
}

/// Tells changes apart, and is hardly below [`MOST`].
fn rate(number: u64) -> u64 {
    MOST - number % 50_000
}

fn limit_set(agent: &Agent, number: u64) -> Command {
    let mut command = agent.command();
    command.args(["limit", "set", HOST_PREFIX, "--down", &format!("{}bit", rate(number))]);
    command
}

fn apply(agent: &Agent, file: &Path, number: u64) -> Command {
    let limit = |prefix: &str| {
        format!("[[limit]]\nprefix = \"{prefix}\"\ndown = \"{}bit\"\n", rate(number))
    };
    let others: String = (0..5).map(|other| limit(&prefix(other))).collect();
    fs::write(file, others + &limit(HOST_PREFIX)).unwrap();
    let mut command = agent.command();
    command.arg("apply").arg(file);
    command
}

/// Starts an agent and kills it so much later.
fn start_for(agent: &Agent, router: &Router, time: Duration) {
    let mut command = Command::new(agent::binary());
    command.args(["--instance", agent.instance(), "run", "--iface", "lan0"]);
    command.args(["--netns", router.namespace(End::Router).name(), "--state-dir"]);
    command.arg(agent.saved().parent().expect("it is below a folder"));
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(time);
    process.kill().unwrap();
    process.wait().unwrap();
}
