//! `top` on a real terminal.

use throttle_tests::agent::Outcome;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::tmux::Terminal;
use throttle_tests::traffic::{Direction, Family, MBIT};

const HOST: End = End::host(0);
const OTHER: End = End::host(1);
const LIMIT: u64 = 10 * MBIT;

#[test]
fn a_host_at_its_limit_is_seen_and_the_terminal_given_back() {
    require_root!();
    let lab = limited();
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT).start();
    let _other = Flood::new(&lab.router, OTHER, End::Server, Family::V4).rate(MBIT).start();
    let (host, other) =
        (HOST.address(Family::V4).to_string(), OTHER.address(Family::V4).to_string());
    let terminal = Terminal::new(80, 24).unwrap();
    terminal.line("echo what was; stty -a > /dev/null").unwrap();
    start(&terminal, &lab);

    let is_full = |screen: &str| {
        let line = screen.lines().find(|line| line.starts_with(&format!("{host} ")));
        line.is_some_and(|line| used_percent(line).is_some_and(|used| (97..=103).contains(&used)))
    };
    let screen = terminal.wait_until("host at its limit", is_full).unwrap();
    println!("{screen}");
    let line = screen.lines().find(|line| line.starts_with(&format!("{host} "))).unwrap();
    assert!(line.contains(" 10mbit/-"), "{screen}");
    assert!(line.contains('\u{2588}') && line.contains("k/s"), "{screen}");
    assert!(screen.contains("generation ") && screen.contains("by down"), "{screen}");
    assert!(screen.lines().last().unwrap().starts_with("q quit  s sort"), "{screen}");

    terminal.key("u").unwrap();
    let in_order = |first: &str| format!("\n{first} ");
    let screen = terminal.wait_for("by up").unwrap();
    assert!(screen.find(&in_order(&host)) < screen.find(&in_order(&other)), "{screen}");
    terminal.text(&format!("/{other}")).unwrap();
    let gone = |screen: &str| !screen.contains(&in_order(&host));
    let screen = terminal.wait_until("filtered list", gone).unwrap();
    assert!(screen.contains(&in_order(&other)), "{screen}");
    terminal.key("Escape").unwrap();
    terminal.wait_for(&in_order(&host)).unwrap();
    terminal.key("Enter").unwrap();
    println!("{}", terminal.wait_for("Wait at all levels").unwrap());
    terminal.text("ql").unwrap();
    shell_is_back(&terminal);
}

#[test]
fn limits_and_help_are_a_key_away_in_ascii() {
    require_root!();
    let lab = limited();
    let terminal = Terminal::new(80, 24).unwrap();
    terminal.line(&format!("LC_ALL=C {}", command(&lab))).unwrap();
    terminal.wait_for(&HOST.address(Family::V4).to_string()).unwrap();
    terminal.key("l").unwrap();
    // A limit has a line from the first sample on that knows of it.
    let screen = terminal.wait_for("10.77.0.10/32").unwrap();
    println!("{screen}");
    assert!(screen.contains("link lan0") && screen.is_ascii(), "{screen}");
    terminal.key("?").unwrap();
    println!("{}", terminal.wait_for("freeze, and go on").unwrap());
    terminal.key("C-c").unwrap();
    terminal.wait_for("ready>").unwrap();
}

#[test]
fn an_agent_that_goes_away_is_waited_for() {
    require_root!();
    let mut lab = limited();
    let terminal = Terminal::new(80, 24).unwrap();
    start(&terminal, &lab);
    terminal.wait_for(&HOST.address(Family::V4).to_string()).unwrap();
    lab.agent.kill().unwrap();
    println!("{}", terminal.wait_for("no answer, trying again").unwrap());
    lab.agent.restart().unwrap();
    let answered = |screen: &str| !screen.contains("no answer") && screen.contains("by down");
    terminal.wait_until("answer", answered).unwrap();
    terminal.key("C-z").unwrap();
    terminal.wait_for("ready>").unwrap();
    terminal.line("fg").unwrap();
    terminal.wait_for("by down").unwrap();
    terminal.key("q").unwrap();
    terminal.wait_for("ready>").unwrap();
}

#[test]
fn without_a_terminal_or_an_agent_it_says_so() {
    require_root!();
    let lab = limited();
    let outcome = lab.agent.cli("top").unwrap();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("top needs a terminal"), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: for a list, use throttle-agent host list"));
    let Outcome { code, stderr, .. } = lab.agent.cli("top --json").unwrap();
    assert_eq!(code, Some(2), "{stderr}");
    let terminal = Terminal::new(80, 24).unwrap();
    terminal.line(&command(&lab).replace(lab.agent.instance(), "nosuch")).unwrap();
    terminal.wait_for("no agent runs for instance nosuch").unwrap();
}

/// A lab that limits its first host.
fn limited() -> Lab {
    let lab = Lab::new().unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    lab.limit(OTHER, Family::V4, Direction::Up, LIMIT).unwrap();
    lab
}

fn command(lab: &Lab) -> String {
    format!("{} top", lab.agent.command_line())
}

fn start(terminal: &Terminal, lab: &Lab) {
    terminal.line(&command(lab)).unwrap();
    terminal.wait_for("throttle ").unwrap();
}

/// The percents of a line of the list.
fn used_percent(line: &str) -> Option<u64> {
    line.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse().ok())
}

/// What was on the screen before is there again, and typing works.
fn shell_is_back(terminal: &Terminal) {
    let prompts = |screen: &str| screen.trim_end().ends_with("ready>");
    let screen = terminal.wait_until("prompt", prompts).unwrap();
    assert!(screen.contains("what was") && !screen.contains("q quit"), "{screen}");
    terminal.line("stty -a | grep -c -w -e -icanon -e -echo -e -isig").unwrap();
    terminal.wait_until("sane terminal", |screen| screen.lines().any(|line| line == "0")).unwrap();
}
