//! What a file means, and how its mistakes are told.

use proptest::prelude::*;
use throttle_common::abi::Side;

use super::*;
use crate::{
    datapath::HookChoice,
    error::Kind,
    policy::{Action, Match, Policy, any_policy},
};

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("policy.toml"))
}

/// Every mistake of a file, one line each.
fn mistakes(text: &str) -> Vec<String> {
    let error = parse(text).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    match error.details() {
        [] => vec![error.to_string()],
        lines => lines.to_vec(),
    }
}

fn mistake(text: &str) -> String {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

const EVERYTHING: &str = r#"
[agent]
metrics = "127.0.0.1:9190"
ipv6_host_prefix = 56
max_hosts = 1000
max_limits = 200
hook = "clsact"

[[link]]
interface = "wg*"
hosts = "near"
down = "1gbit"
overhead = 38

[[group]]
name = "acme"
down = "100mbit"
action = "observe"

[[limit]]
prefixes = ["10.0.0.0/24", "2001:db8::7"]
scope = "shared"
up = "2mbit"
down = "1mib/100ms"
up_burst = "250ms"
down_pps = 2000
up_pps = "10/10ms"
down_pps_burst = 600
one_time_burst = "50mb"
packet_unit = "1500b"
action = "pace:20ms"
group = "acme"

[[limit]]
prefix = "192.0.2.0/24"
match = "peer"
action = "pass"
"#;

#[test]
fn a_file_means_what_it_says() {
    let config = parse(EVERYTHING).unwrap();
    assert_eq!(config.agent.metrics.unwrap().to_string(), "127.0.0.1:9190");
    assert_eq!((config.agent.ipv6_host_prefix, config.agent.max_hosts), (Some(56), Some(1000)));
    assert_eq!((config.links[0].pattern.as_str(), config.links[0].side), ("wg*", Side::Near));
    let policy = config.request().check(56).unwrap().value;
    assert_eq!(policy.links["wg*"].overhead_bytes, 38);
    assert_eq!(policy.groups[0].down.to_string(), "100mbit burst 3125000b");
    let [v4, v6, peer] = &policy.limits[..] else { panic!("{policy:?}") };
    assert_eq!(
        (v4.prefix.to_string(), v6.prefix.to_string()),
        ("10.0.0.0/24".into(), "2001:db8::/56".into())
    );
    assert_eq!(v4.up.to_string(), "2mbit burst 62500b, 10/10ms");
    assert_eq!(v4.down.to_string(), "1mb/100ms, 2kpps burst 600");
    assert_eq!(
        (v4.one_time_burst.unwrap().bytes(), v4.packet_unit.unwrap().bytes()),
        (50 << 20, 1500)
    );
    assert_eq!((peer.matches, peer.action), (Match::Peer, Action::Pass));
}

#[test]
fn an_empty_file_is_an_empty_policy() {
    let config = parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.request().check(64).unwrap().value, Policy::default());
}

#[test]
fn every_mistake_is_told_with_its_place_its_key_and_the_accepted_form() {
    let text = r#"
[agent]
max_host = 5
[[limit]]
prefix = "10.0.0.1/24"
down = "10"
up = 5
scope = "each"
[[limit]]
prefix = "10.0.1.0/24"
total = "1mbit"
down = "1mbit"
[[group]]
name = "acme"
"#;
    assert_eq!(
        mistakes(text),
        [
            "policy.toml:3:1: unknown key max_host in [agent]: did you mean max_hosts?",
            "policy.toml:5:10: prefix: prefix 10.0.0.1/24 has host bits set: write 10.0.0.0/24 or \
             10.0.0.1/32",
            "policy.toml:6:8: down: rate \"10\" has no unit: write 10mbit (bits) or 10mbps \
             (bytes per second)",
            "policy.toml:7:6: up: 5 is no text: write up = \"10mbit\"",
            "policy.toml:11:9: total and down conflict: give either the total, or up and down",
            "policy.toml:13:1: a group without a rate limits nothing: give up, down, total, up_pps, \
             down_pps or total_pps",
        ]
    );
}

#[test]
fn values_of_the_wrong_kind_are_answered_with_the_right_one() {
    let limit = |line: &str| mistake(&format!("[[limit]]\nprefix = \"10.0.0.0/8\"\n{line}\n"));
    for (line, expected) in [
        (
            "scope = \"all\"\ndown = \"1mbit\"",
            "3:9: scope: \"all\" is unknown: write \"each\" or \"shared\"",
        ),
        (
            "action = \"stop\"\ndown = \"1mbit\"",
            "3:10: action: action \"stop\" is unknown: write drop, ecn",
        ),
        ("down_pps = \"5mbit\"", "3:12: down_pps: "),
        ("down_pps = true", "3:12: down_pps: true is no text: write down_pps = 2000 or \"2kpps\""),
        ("down_pps = 5\npps_burst = \"45\"", "4:13: pps_burst: write a whole number from 1 to"),
        ("down_pps = 5\nburst = \"1s\"", "4:9: burst needs a rate: give up, down or total too"),
        ("fair = true\ndown = \"1mbit\"", "3:1: unknown key fair in [[limit]]: "),
        ("prefixes = []\ndown = \"1mbit\"", "3:12: prefixes: prefix and prefixes conflict"),
        ("match = \"peer\"\ndown = \"1mbit\"", "3:9: match peer and action drop conflict"),
        ("down = \"1mib/100ms\"\nburst = \"1mb\"", "4:9: burst and down 1mb/100ms conflict"),
    ] {
        let message = limit(line);
        assert!(message.starts_with(&format!("policy.toml:{expected}")), "{line}: {message}");
    }
    assert!(mistake("[agent]\nmetrics = \":9190\"").contains("write 127.0.0.1:9190, "));
    assert!(mistake("[agent]\nipv6_host_prefix = 40").contains("a whole number from 48 to 128"));
    assert!(mistake("[agent]\nhook = \"xdp\"").contains("\"auto\" or \"tcx\" or \"clsact\""));
    assert!(
        mistake("[[link]]\ninterface = \"a\"\nhosts = \"left\"").contains("\"far\" or \"near\"")
    );
    assert!(mistake("[[link]]\nhosts = \"far\"").contains("a link needs an interface"));
    assert!(mistake("[limit]\nprefix = \"::/0\"").contains("where [[limit]] is accepted"));
    assert!(mistake("[[limits]]\n").contains("did you mean limit?"));
    assert!(
        mistake("[[limit]]\ndown = \"1mbit\"").contains("2:1: prefix: a limit needs addresses")
            || mistake("[[limit]]\ndown = \"1mbit\"")
                .contains("1:1: prefix: a limit needs addresses")
    );
}

#[test]
fn broken_toml_is_told_with_its_place() {
    let found = mistakes("[[limit]]\nprefix = \"10.0.0.0/8\ndown = 1mbit\n");
    assert!(found[0].starts_with("policy.toml:2:"), "{found:?}");
    assert!(mistake("a = 1\na = 2\n").starts_with("policy.toml:2:1: "));
}

#[test]
fn what_is_given_twice_or_names_nothing_is_told_with_both_places() {
    let twice = "[[limit]]\nprefix = \"10.0.0.0/8\"\nup = \"1mbit\"\n\
                 [[limit]]\nprefixes = [\"10.0.0.0/8\"]\nup = \"1mbit\"\n";
    assert_eq!(
        mistake(twice),
        "policy.toml:5:13: prefix: limit 10.0.0.0/8 is given twice, first in policy.toml:2:10"
    );
    let group = "[[limit]]\nprefix = \"10.0.0.0/8\"\nup = \"1mbit\"\ngroup = \"acme\"\n";
    assert_eq!(
        mistake(group),
        "policy.toml:4:9: group: there is no group acme: add [[group]] name = \"acme\""
    );
    let groups =
        "[[group]]\nname = \"a\"\nup = \"1mbit\"\n[[group]]\nname = \"a\"\nup = \"1mbit\"\n";
    assert_eq!(mistake(groups), "policy.toml:5:8: name: group a is given twice");
    let links = "[[link]]\ninterface = \"a\"\n[[link]]\ninterface = \"a\"\n";
    assert_eq!(mistake(links), "policy.toml:4:13: interface: link a is given twice");
}

#[test]
fn many_mistakes_are_told_up_to_twenty() {
    let text = "[[limit]]\nprefix = \"10.0.0.0/33\"\nup = \"1mbit\"\n".repeat(50);
    let error = parse(&text).unwrap_err();
    assert_eq!(error.to_string(), "policy.toml has 50 mistakes");
    assert_eq!(error.details().len(), 21);
    assert_eq!(error.details()[20], "and 30 more");
}

#[test]
fn warnings_name_keys() {
    let text = "[[limit]]\nprefix = \"10.0.0.0/8\"\ndown = \"10mbit\"\nburst = \"64kb\"\n";
    let warnings = parse(text).unwrap().warnings;
    assert!(warnings[0].starts_with("limit 10.0.0.0/8: burst 64kb of down 10mbit"), "{warnings:?}");
}

#[test]
fn subscribers_are_limits() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "policy.toml",
        "[[group]]\nname = \"acme\"\ndown = \"1gbit\"\n[[group]]\nname = \"b\"\ndown = \"1gbit\"\n\
         [[subscribers]]\nfile = \"a.csv\"\ngroup = \"acme\"\nburst = \"1s\"\naction = \"ecn\"\n",
    );
    write(
        "a.csv",
        "address, up, down, group, action\n10.0.0.7,2mbit,10mbit,,\n2001:db8::7,,8mbit,b,drop\n",
    );
    let path = directory.path().join("policy.toml");
    let policy = Config::read(&path).unwrap().request().check(64).unwrap().value;
    let [first, second] = &policy.limits[..] else { panic!("{policy:?}") };
    assert_eq!(first.prefix.to_string(), "10.0.0.7/32");
    assert_eq!(first.down.to_string(), "10mbit burst 1250000b");
    assert_eq!((first.group.as_ref().unwrap().as_str(), first.action), ("acme", Action::Ecn));
    assert_eq!((second.group.as_ref().unwrap().as_str(), second.action), ("b", Action::Drop));
    assert!(second.up.is_empty());

    write(
        "a.csv",
        "address,up,down\n10.0.0.7,2mbit,x\n10.0.0.8,,\n10.0.0.9,1mbit\n10.0.0.10,1mbit,1mbit\n10.0.0.10,1mbit,1mbit\n,1mbit,1mbit\n",
    );
    let error = Config::read(&path).unwrap_err();
    let csv = directory.path().join("a.csv").display().to_string();
    for (line, expected) in error.details().iter().zip([
        "2: down: rate \"x\"",
        "3: a limit without a rate limits nothing",
        "4: 2 values where the header has 3 columns",
        "6: prefix: limit 10.0.0.10/32 is given twice, first in ",
        "7: address: nothing is written there",
    ]) {
        assert!(line.starts_with(&format!("{csv}:{expected}")), "{line}");
    }
    assert_eq!(error.details().len(), 5, "{:?}", error.details());

    for (text, expected) in [
        ("address,up\n", "the header lacks column down"),
        ("address,up,down,plan\n", "unknown column \"plan\""),
        ("address,up,down,up\n", "column up is in the header twice"),
    ] {
        write("a.csv", text);
        let message = Config::read(&path).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{csv}:1: ")) && message.contains(expected),
            "{message}"
        );
    }
    fs::remove_file(directory.path().join("a.csv")).unwrap();
    let message = Config::read(&path).unwrap_err().to_string();
    assert!(
        message.contains("policy.toml:8:8: file: reading ") && message.contains("a.csv"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::read(Path::new("/nonexistent/policy.toml")).unwrap_err();
    assert!(error.to_string().starts_with("reading /nonexistent/policy.toml: "), "{error}");
}

#[test]
fn settings_that_need_a_start_are_told() {
    let running = AgentKeys { max_hosts: Some(5), ..Default::default() };
    let file =
        AgentKeys { max_hosts: Some(6_000), hook: Some(HookChoice::Tcx), ..Default::default() };
    let told = [
        "[agent] max_hosts takes effect at the first start after `detach --all` or a reboot",
        "[agent] hook takes effect at the next start, at links that are attached from then on",
    ];
    assert_eq!(file.differences(&running), told);
    assert_eq!(AgentKeys::default().differences(&running), Vec::<String>::new());
}

proptest! {
    #[test]
    fn what_is_exported_asks_for_the_same_policy(policy in any_policy()) {
        let request = PolicyRequest::from(&policy);
        let text = write(&AgentKeys::default(), &[("eth1".to_owned(), Side::Near)], &request);
        let config = parse(&text).unwrap();
        prop_assert_eq!(config.links[0].side, Side::Near);
        prop_assert_eq!(config.request().check(64).unwrap().value, policy);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "(\\[\\[?(limit|group|link|agent)\\]\\]?\n|[a-z_]{1,8} = (\"[^\"]{0,8}\"|[0-9]{1,20}|\\[.{0,5}\\])\n|.{0,10}\n){0,12}") {
        if let Err(error) = parse(&text) {
            prop_assert_eq!(error.kind(), Kind::Usage);
        }
    }
}

#[test]
fn the_manual_page_names_every_key() {
    let page = include_str!("../../../packaging/man/throttle.toml.5");
    let words: Vec<_> =
        page.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let keys = [entries::limit_keys(), entries::group_keys(), entries::link_keys()].concat();
    for key in keys.iter().chain(&agent::KEYS).chain(&document::SUBSCRIBERS) {
        assert!(words.contains(key), "the page says nothing of {key}");
    }
}
