//! What can be typed, what it means, and how mistakes are answered.

use clap::CommandFactory;
use throttle_common::abi::Side;

use super::*;
use crate::error::{Error, Kind};

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
            args.request().and_then(|request| request.check(args.prefix)).unwrap_err()
        }
        Ok(cli) => panic!("{line} was accepted: {cli:?}"),
    };
    assert_eq!(error.kind(), Kind::Usage, "{line}");
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains("error:") && !text.contains("Usage:"), "{text}");
    text
}

fn limit(line: &str) -> crate::policy::Checked {
    let command = parsed(&format!("limit set {line}")).unwrap().command;
    let Command::Limit(LimitCommand::Set(args)) = command else { panic!("{command:?}") };
    args.request().unwrap().check(args.prefix).unwrap()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_limit_means_what_was_typed() {
    let limit = limit("10.0.0.0/24 --down 10mbit --up 2mbit --up-pps 500 --down-pps 2kpps").limit;
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
        limit("10.0.0.7 --scope shared --up 8mbit --down 16mbit --burst 1s --up-burst 1mb").limit;
    assert_eq!(limit.scope, crate::policy::Scope::Shared);
    assert_eq!(limit.up.bytes.unwrap().burst.bytes(), 1 << 20);
    assert_eq!(limit.down.bytes.unwrap().burst.bytes(), 2_000_000);
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
        ("limit set 2001:db8::/80 --up 1mbit", "longer than an IPv6 host, which is a /64"),
        ("limit set ten --up 1mbit", "write 10.0.0.7, 10.0.0.0/24 or 2001:db8::/56"),
        ("limit set --up 1mbit", "required arguments were not provided: <PREFIX>"),
        ("limit set 10.0.0.0/24 --up 1mbit --action ecn", "[possible values: drop]"),
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
        ("status --instance ../x", "is no name"),
        ("host show 10.0.0.0/24", "write one address"),
        ("host list --sort size", "[possible values: down, up, excess]"),
        ("stats --watch 0", "--watch"),
        ("detach", "required arguments were not provided: <--iface <IF>|--all>"),
        ("detach --all --iface eth1", "cannot be used with"),
        ("group list", "unrecognized subcommand 'group'"),
        ("events", "unrecognized subcommand 'events'"),
        ("run --config x", "unexpected argument '--config'"),
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
    let sides: Vec<_> =
        args.iface.iter().map(|link| (link.interface.as_str(), link.side)).collect();
    assert_eq!(sides, [("eth1", Side::Far), ("wan0", Side::Near)]);
    assert_eq!((args.max_hosts, args.max_limits), (65_536, 16_384));
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

#[test]
fn every_command_shows_help_with_examples() {
    for line in [
        "",
        "run",
        "limit set",
        "limit del",
        "limit show",
        "host show",
        "host list",
        "stats",
        "detach",
    ] {
        let mut command = Cli::command();
        let leaf = line
            .split_whitespace()
            .fold(&mut command, |command, word| command.find_subcommand_mut(word).unwrap());
        let help = leaf.render_long_help().to_string();
        assert!(help.contains("Example"), "{line}: {help}");
    }
}
