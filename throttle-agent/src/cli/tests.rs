//! What can be typed, what it means, and how mistakes are answered.

use clap::CommandFactory;
use throttle_common::abi::Side;

use super::*;
use crate::{
    config::AgentKeys,
    error::{Error, Kind},
    policy::{Action, Checked, Limit, Match, ParentAction, Scope},
};

fn parsed(line: &str) -> Result<Cli, Error> {
    let words = std::iter::once("throttle-agent").chain(line.split_whitespace());
    match parse(words.map(Into::into))? {
        Parsed::Run(cli) => Ok(*cli),
        Parsed::Shown => panic!("{line} shows help"),
    }
}

/// The message of a mistake, which has exit code 2 and one line.
fn mistake(line: &str) -> String {
    let error = match parsed(line) {
        Err(error) => error,
        Ok(Cli { command: Command::Limit(LimitCommand::Set(args)), .. }) => {
            checked_limit(&args).unwrap_err()
        }
        Ok(Cli { command: Command::Group(GroupCommand::Set(args)), .. }) => {
            args.request().and_then(|request| request.check(args.name.clone())).unwrap_err()
        }
        Ok(Cli { command: Command::Link(LinkCommand::Set(args)), .. }) => {
            args.request().and_then(|request| request.check()).unwrap_err()
        }
        Ok(cli) => panic!("{line} was accepted: {cli:?}"),
    };
    assert_eq!(error.kind(), Kind::Usage, "{line}");
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains("error:") && !text.contains("Usage:"), "{text}");
    text
}

fn limit(line: &str) -> Checked<Limit> {
    let command = parsed(&format!("limit set {line}")).unwrap().command;
    let Command::Limit(LimitCommand::Set(args)) = command else { panic!("{command:?}") };
    checked_limit(&args).unwrap()
}

fn checked_limit(args: &LimitSetArgs) -> Result<Checked<Limit>, Error> {
    args.request()?.check(args.prefix.resolve(64)?)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_limit_means_what_was_typed() {
    let limit = limit("10.0.0.0/24 --down 10mbit --up 2mbit --up-pps 500 --down-pps 2kpps").value;
    assert_eq!(limit.prefix.to_string(), "10.0.0.0/24");
    assert_eq!(limit.down.bytes.unwrap().rate.bits_per_second(), 10_000_000);
    assert_eq!(limit.up.bytes.unwrap().burst.bytes(), 65_536);
    assert_eq!(limit.up.packets.unwrap().rate.packets_per_second(), 500);
    assert_eq!(limit.down.packets.unwrap().rate.packets_per_second(), 2_000);
    assert!(limit.total.is_empty());
}

#[test]
fn bursts_apply_to_their_direction_or_to_all() {
    let limit =
        limit("10.0.0.7 --scope shared --up 8mbit --down 16mbit --burst 1s --up-burst 1mb").value;
    assert_eq!(limit.scope, Scope::Shared);
    assert_eq!(limit.up.bytes.unwrap().burst.bytes(), 1 << 20);
    assert_eq!(limit.down.bytes.unwrap().burst.bytes(), 2_000_000);
}

#[test]
fn a_rate_may_be_a_size_per_time() {
    let limit =
        limit("10.0.0.7 --up 8mbit --up-burst 1s --down 1mib/100ms --total-pps 10/10ms").value;
    let down = limit.down.bytes.unwrap();
    assert_eq!((down.to_string().as_str(), down.rate.bits_per_second()), ("1mb/100ms", 83_886_080));
    assert_eq!(limit.up.bytes.unwrap().to_string(), "8mbit burst 1000000b");
    assert_eq!(limit.total.packets.unwrap().to_string(), "10/10ms");
}

#[test]
fn the_rest_of_a_limit_means_what_was_typed() {
    let words = "10.0.0.0/24 --group acme --one-time-burst 5mib --packet-unit 1500b \
                 --action dscp:af11 --up 8mbit --up-pps 2kpps";
    let limit = limit(words).value;
    assert_eq!(limit.group.unwrap().as_str(), "acme");
    assert_eq!(limit.one_time_burst.unwrap().bytes(), 5 << 20);
    assert_eq!(limit.packet_unit.unwrap().bytes(), 1500);
    assert_eq!(limit.action.to_string(), "dscp:af11");
}

#[test]
fn a_peer_is_exempted_and_shown_by_its_match() {
    let exempt = limit("192.0.2.0/24 --match peer --action pass").value;
    assert_eq!((exempt.matches, exempt.action), (Match::Peer, Action::Pass));
    for line in ["limit del 192.0.2.0/24 --match peer", "limit show 192.0.2.0/24 --match peer"] {
        let command = parsed(line).unwrap().command;
        let Command::Limit(LimitCommand::Del(name) | LimitCommand::Show(name)) = command else {
            panic!("{command:?}");
        };
        assert_eq!(name.matches, Match::Peer);
    }
}

#[test]
fn an_ipv6_address_is_left_for_the_agent_to_read() {
    let command = parsed("limit show 2001:db8::7").unwrap().command;
    let Command::Limit(LimitCommand::Show(name)) = command else { panic!("{command:?}") };
    assert_eq!(name.prefix.to_string(), "2001:db8::7");
    let command = parsed("host show 2001:db8::7").unwrap().command;
    let Command::Host(HostCommand::Show { address }) = command else { panic!("{command:?}") };
    assert_eq!(address.to_string(), "2001:db8::7");
    assert!(parsed("limit del 2001:db8::7/128").is_ok());
}

#[test]
fn groups_and_links_take_rates_as_limits_do() {
    let command =
        parsed("group set acme --down 100mbit --up-pps 10/10ms --burst 1s").unwrap().command;
    let Command::Group(GroupCommand::Set(args)) = command else { panic!("{command:?}") };
    let group = args.request().unwrap().check(args.name.clone()).unwrap().value;
    assert_eq!(group.down.to_string(), "100mbit burst 12500000b");
    assert_eq!(group.up.to_string(), "10/10ms");
    let command =
        parsed("link set eth1 --total 1gbit --overhead 38 --action observe").unwrap().command;
    let Command::Link(LinkCommand::Set(args)) = command else { panic!("{command:?}") };
    let link = args.request().unwrap().check().unwrap().value;
    assert_eq!((args.interface.as_str(), link.overhead_bytes), ("eth1", 38));
    assert_eq!(
        (link.action, link.total.bytes.unwrap().rate.to_string()),
        (ParentAction::Observe, "1gbit".into())
    );
}

#[test]
fn a_small_burst_earns_a_warning() {
    assert_eq!(limit("10.0.0.7 --total 10mbit").warnings.len(), 0);
    assert_eq!(limit("10.0.0.7 --total 10mbit --burst 20ms").warnings.len(), 1);
    assert_eq!(limit("10.0.0.7 --total-pps 2kpps --pps-burst 100").warnings.len(), 1);
}

#[test]
fn mistakes_in_limits_name_the_accepted_form() {
    for (line, expected) in [
        ("limit set 10.0.0.0/24 --up 10", "write 10mbit (bits) or 10mbps (bytes per second)"),
        ("limit set 10.0.0.0/24 --up 10Mbps", "write 10mbit (bits) or 10mbps (bytes per second)"),
        ("limit set 10.0.0.0/24 --up -5mbit", "is negative: write 10mbit"),
        ("limit set 10.0.0.0/24 --up 1kbit", "out of range: 8kbit to 400gbit"),
        (
            "limit set 10.0.0.0/24 --up 1mbit --burst 10",
            "a size such as 64kb or a time such as 250ms",
        ),
        ("limit set 10.0.0.0/24 --up-pps fast", "write 2000pps or 2kpps"),
        ("limit set 10.0.0.0/24 --total 1mbit --up 1mbit", "--total and --up conflict"),
        ("limit set 10.0.0.0/24 --total-pps 1 --down-pps 1", "--total-pps and --down-pps conflict"),
        ("limit set 10.0.0.0/24", "limits nothing: give --up, --down, --total"),
        (
            "limit set 10.0.0.0/24 --burst 1mb",
            "--burst needs a rate: give --up, --down or --total too",
        ),
        (
            "limit set 10.0.0.0/24 --down 1mbit --up-burst 1mb",
            "--up-burst needs a rate: give --up too",
        ),
        (
            "limit set 10.0.0.0/24 --up 1mbit --pps-burst 9",
            "--pps-burst needs a rate: give --up-pps",
        ),
        ("limit set 10.0.0.5/24 --up 1mbit", "write 10.0.0.0/24 or 10.0.0.5/32"),
        ("limit set 2001:db8::/80 --up 1mbit", "longer than an IPv6 host, which is a /64 here"),
        ("limit set 2001:db8::1/48 --up 1mbit", "write 2001:db8::/48 or 2001:db8::1"),
        ("limit set ten --up 1mbit", "write 10.0.0.7, 10.0.0.0/24 or 2001:db8::/56"),
        ("limit set --up 1mbit", "required arguments were not provided: <PREFIX>"),
        ("limit set 10.0.0.0/24 --up 1mbit --action stop", "write drop, ecn, dscp:CLASS, mark:N"),
        ("limit set 10.0.0.0/24 --up 1mbit --action dscp:gold", "write cs0 to cs7"),
        ("limit set 10.0.0.0/24 --up 1mbit --action mark", "mark:N"),
        ("limit set 10.0.0.0/24 --up 1mbit --action pace:0us", "out of range: 1us to"),
        (
            "limit set 10.0.0.0/24 --up 1mbit --match peer",
            "--match peer and --action drop conflict",
        ),
        ("limit set 10.0.0.0/24 --up 1mbit --action pass", "--action pass and --up conflict"),
        ("limit set 10.0.0.0/24 --up 1mbit --match both", "[possible values: host, peer]"),
        ("limit set 10.0.0.0/24 --up 1mbit --group a/b", "is no name"),
        ("limit set 10.0.0.0/24 --up 1mib/", "such as 1mib/100ms"),
        ("limit set 10.0.0.0/24 --up 1mib/100", "write 100ms or 100s"),
        ("limit set 10.0.0.0/24 --up 1mib/10us", "--up 1mb/10us is out of range: 8kbit to 400gbit"),
        ("limit set 10.0.0.0/24 --up-pps 1pps/1s", "such as 10/10ms"),
        (
            "limit set 10.0.0.0/24 --up 1mib/100ms --burst 1mb",
            "--burst and --up 1mb/100ms conflict: the burst of such a rate is what stands before \
             the slash, 1mb here",
        ),
        (
            "limit set 10.0.0.0/24 --down 1mib/100ms --down-burst 1mb",
            "--down-burst and --down 1mb/100ms conflict",
        ),
        (
            "limit set 10.0.0.0/24 --up-pps 10/10ms --pps-burst 5",
            "--pps-burst and --up-pps 10/10ms conflict",
        ),
        (
            "limit set 10.0.0.0/24 --up-pps 10 --one-time-burst 1mb",
            "--one-time-burst needs a rate: give --up, --down or --total too",
        ),
        (
            "limit set 10.0.0.0/24 --up 1mbit --packet-unit 1500b",
            "--packet-unit needs a rate: give --up-pps",
        ),
        ("limit set 10.0.0.0/24 --up-pps 9 --packet-unit 1500", "write 1500b"),
        ("limit set 10.0.0.0/24 --up 1mbit --scope all", "[possible values: each, shared]"),
    ] {
        let message = mistake(line);
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn mistakes_in_other_commands_name_the_accepted_form() {
    for (line, expected) in [
        ("run --iface eth1:left", "write eth1:far or eth1:near"),
        ("run --hook xdp", "[possible values: auto, tcx, clsact]"),
        ("run --max-hosts 0", "not in 1..="),
        ("run --ipv6-host-prefix 47", "not in 48..=128"),
        ("run --ipv6-host-prefix 129", "not in 48..=128"),
        ("status --instance ../x", "is no name"),
        ("host show 10.0.0.0/24", "write one address"),
        ("host show 2001:db8::/32", "write one address"),
        ("group set acme", "limits nothing: give --up, --down, --total"),
        ("group set /acme --up 1mbit", "is no name"),
        ("group set acme --up 1mbit --action pass", "[possible values: drop, observe]"),
        ("group set acme --up 1mbit --total 1mbit", "--total and --up conflict"),
        ("group set acme --up 1mbit --fair", "unexpected argument '--fair'"),
        ("group show", "required arguments were not provided: <NAME>"),
        ("link set eth1 --burst 1mb", "--burst needs a rate"),
        ("link set eth1 --overhead 65536", "--overhead 65536 is out of range: 0 to 65535"),
        ("link set eth1 --overhead -4", "write 38 or 38b"),
        ("link set", "required arguments were not provided: <IF>"),
        ("host list --sort size", "[possible values: down, up, excess]"),
        ("stats --watch 0", "--watch"),
        ("detach", "required arguments were not provided: <--iface <IF>|--all>"),
        ("detach --all --iface eth1", "cannot be used with"),
        ("run --ephemeral --state-dir x", "cannot be used with"),
        ("check", "required arguments were not provided: <FILE>"),
    ] {
        let message = mistake(line);
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn no_command_gets_a_hint() {
    let error = parsed("").unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, "a command is missing"));
    assert!(error.hint_text().unwrap().contains("--help"));
}

#[test]
fn interfaces_repeat_and_carry_their_side() {
    let Command::Run(args) = parsed("run --iface eth1 --iface wan0:near").unwrap().command else {
        panic!("not run");
    };
    let sides: Vec<_> = args.iface.iter().map(|link| (link.pattern.as_str(), link.side)).collect();
    assert_eq!(sides, [("eth1", Side::Far), ("wan0", Side::Near)]);
    assert_eq!(args.settings(), AgentKeys::default());
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["-j --instance wan status", "status --json --instance wan"] {
        let global = parsed(line).unwrap().global;
        assert!(global.json);
        assert_eq!(global.instance.name(), "wan");
    }
    assert_eq!(parsed("status").unwrap().global.instance.name(), "default");
}

#[test]
fn watch_defaults_to_a_second() {
    let watch = |line: &str| {
        let command = parsed(line).unwrap().command;
        let Command::Stats(args) = command else { panic!("{command:?}") };
        args.watch.map(std::num::NonZeroU32::get)
    };
    assert_eq!(watch("stats"), None);
    assert_eq!(watch("stats --watch"), Some(1));
    assert_eq!(watch("stats --watch 10"), Some(10));
    assert_eq!(watch("stats --watch -j"), Some(1));
}

/// Calls `each` with every command and the words that lead to it.
fn each_command(command: &clap::Command, words: &str, each: &mut impl FnMut(&clap::Command, &str)) {
    each(command, words);
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        each_command(below, &format!("{words} {}", below.get_name()), each);
    }
}

#[test]
fn every_command_shows_examples_of_itself_which_it_accepts() {
    let mut root = Cli::command();
    root.build();
    each_command(&root, "throttle-agent", &mut |command, words| {
        let help = command.clone().render_long_help().to_string();
        let (_, examples) =
            help.split_once("Examples:\n").unwrap_or_else(|| panic!("{words}: {help}"));
        let lines = examples.lines().map_while(|line| line.strip_prefix("  "));
        let typed: Vec<_> = lines.filter(|line| line.starts_with("throttle-agent ")).collect();
        assert!(typed.iter().any(|line| line.starts_with(words)), "{words}: {help}");
        for line in typed {
            // What stands behind a pipe, an arrow or a gap is not for the agent.
            let line = line.split(" | ").next().unwrap_or(line);
            let line = line.split(" > ").next().unwrap_or(line);
            let line = line.split("   ").next().unwrap_or(line);
            let line = line.trim_start_matches("throttle-agent ");
            assert!(parsed(line).is_ok(), "{words}: {line}: {:?}", parsed(line).err());
        }
    });
}

#[test]
fn the_choice_of_colours_counts_wherever_it_stands_and_whatever_else_is_wrong() {
    for (line, choice) in [
        ("x", ColorChoice::Auto),
        ("x --color always nonsense", ColorChoice::Always),
        ("x limit --color=never", ColorChoice::Never),
        ("x --color sometimes", ColorChoice::Auto),
        ("x --color", ColorChoice::Auto),
        ("x --color never --color=always", ColorChoice::Always),
    ] {
        let words: Vec<_> = line.split_whitespace().map(std::ffi::OsString::from).collect();
        assert_eq!(color_typed(&words), choice, "{line}");
    }
}

#[test]
fn json_is_known_of_words_that_are_no_command() {
    for (line, is_json) in [
        ("throttle-agent --json limits", true),
        ("throttle-agent limit lst -j", true),
        ("throttle-agent -vj limit lst", true),
        ("throttle-agent limit lst", false),
        ("throttle-agent limit lst -v", false),
        ("throttle-agent limit lst --jso", false),
        ("throttle-agent limit lst -- -j", false),
    ] {
        let words: Vec<_> = line.split(' ').map(Into::into).collect();
        assert_eq!(json_typed(&words), is_json, "{line}");
    }
}

#[test]
fn delete_is_another_word_for_del() {
    for line in ["throttle-agent limit delete 10.0.0.0/24", "throttle-agent group delete acme"] {
        assert!(parse(line.split(' ').map(Into::into)).is_ok(), "{line}");
    }
}
