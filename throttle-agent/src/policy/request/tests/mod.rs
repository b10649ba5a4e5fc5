//! What the command line and the control socket accept, and what they make of it.

pub(crate) mod round_trip;

use ipnet::IpNet;
use serde_json::json;

use super::*;
use crate::{
    error::Kind,
    policy::{Action, LinkLimit, Match, Scope},
};

fn prefix() -> IpNet {
    "10.0.0.0/24".parse().unwrap()
}

fn bits(bits_per_second: u64) -> RatesRequest {
    RatesRequest { bits_per_second: Some(bits_per_second), ..Default::default() }
}

fn packets(packets_per_second: u64) -> RatesRequest {
    RatesRequest { packets_per_second: Some(packets_per_second), ..Default::default() }
}

fn refilled(burst_bytes: u64, refill_time_ns: u64) -> RatesRequest {
    RatesRequest {
        burst_bytes: Some(burst_bytes),
        refill_time_ns: Some(refill_time_ns),
        ..Default::default()
    }
}

fn packets_refilled(burst_packets: u64, refill_time_ns: u64) -> RatesRequest {
    RatesRequest {
        burst_packets: Some(burst_packets),
        packets_refill_time_ns: Some(refill_time_ns),
        ..Default::default()
    }
}

fn up(up: RatesRequest) -> LimitRequest {
    LimitRequest { up, ..Default::default() }
}

fn refusal(request: LimitRequest) -> String {
    let error = request.check(prefix()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    error.to_string()
}

#[test]
fn defaults_are_filled_in() {
    let request = LimitRequest { down: bits(10_000_000), up: packets(2000), ..Default::default() };
    let Checked { value: limit, warnings } = request.check(prefix()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(
        (limit.matches, limit.scope, limit.action),
        (Match::Host, Scope::Each, Action::Drop)
    );
    assert_eq!((limit.group, limit.one_time_burst, limit.packet_unit), (None, None, None));
    assert_eq!(limit.down.bytes.unwrap().burst.bytes(), 312_500);
    assert_eq!(limit.down.packets, None);
    assert_eq!(limit.up.packets.unwrap().burst_packets, 500);
    assert_eq!(limit.up.bytes, None);
}

#[test]
fn what_limits_nothing_is_refused_but_for_links() {
    let expected = "limits nothing: give --up, --down, --total";
    assert!(refusal(LimitRequest::default()).contains(expected));
    let group = GroupRequest::default().check("acme".parse().unwrap()).unwrap_err();
    assert!(group.to_string().contains(expected));
    assert_eq!(LinkRequest::default().check().unwrap().value, LinkLimit::default());
}

#[test]
fn total_and_directional_rates_of_one_kind_conflict() {
    let bytes = "--total and --up conflict: give either the total, or --up and --down";
    for (total, up) in [(bits(8000), bits(8000)), (refilled(1 << 20, 1_000_000), bits(8000))] {
        assert_eq!(refusal(LimitRequest { total, up, ..Default::default() }), bytes);
        let group = GroupRequest { total, up, ..Default::default() };
        assert_eq!(group.check("a".parse().unwrap()).unwrap_err().to_string(), bytes);
        let link = LinkRequest { total, up, ..Default::default() };
        assert_eq!(link.check().unwrap_err().to_string(), bytes);
    }
    assert_eq!(
        refusal(LimitRequest { total: packets(1), down: packets(1), ..Default::default() }),
        "--total-pps and --down-pps conflict: give either the total, or --up-pps and --down-pps"
    );
    let kinds_differ = LimitRequest { total: bits(8000), up: packets(1), ..Default::default() };
    assert!(kinds_differ.check(prefix()).is_ok());
}

#[test]
fn rates_out_of_range_are_refused() {
    for rate in [0, 7_999, 400_000_000_001, u64::MAX] {
        let message = refusal(up(bits(rate)));
        assert!(message.starts_with("--up ") && message.ends_with("8kbit to 400gbit"), "{message}");
    }
    for rate in [0, 1_000_000_001] {
        let message = refusal(LimitRequest { total: packets(rate), ..Default::default() });
        assert!(message.starts_with("--total-pps ") && message.ends_with("1pps to 1000mpps"));
    }
}

#[test]
fn a_refilled_rate_is_compared_exactly() {
    const SECOND: u64 = 1_000_000_000;
    // 8 kbit/s are 1000 bytes a second; 400 Gbit/s are 50 bytes a nanosecond.
    for (burst, time_ns) in
        [(1000, SECOND), (1, 1_000_000), (50_000, 1_000), (86_400_000, 86_400 * SECOND)]
    {
        let limit = up(refilled(burst, time_ns)).check(prefix()).unwrap().value;
        let bytes = limit.up.bytes.unwrap();
        assert_eq!((bytes.burst.bytes(), bytes.refill.unwrap().nanoseconds()), (burst, time_ns));
    }
    for (burst, time_ns) in
        [(0, SECOND), (999, SECOND), (1000, SECOND + 1), (50_001, 1_000), (u64::MAX, SECOND)]
    {
        let message = refusal(up(refilled(burst, time_ns)));
        assert!(message.ends_with("is out of range: 8kbit to 400gbit"), "{message}");
    }
    for (count, time_ns) in [(1, SECOND), (1_000_000, 1_000_000), (86_400, 86_400 * SECOND)] {
        assert!(up(packets_refilled(count, time_ns)).check(prefix()).is_ok());
    }
    for (count, time_ns) in [(0, 1_000), (1, SECOND + 1), (1_000_001, 1_000_000)] {
        let message = refusal(up(packets_refilled(count, time_ns)));
        assert!(message.ends_with("is out of range: 1pps to 1000mpps"), "{message}");
    }
    for time_ns in [0, 999, 86_400 * SECOND + 1, u64::MAX] {
        let message = refusal(up(refilled(1 << 40, time_ns)));
        assert!(message.ends_with("out of range: 1us to 86400s, which is a day"), "{message}");
    }
}

#[test]
fn a_refill_time_goes_with_a_burst_and_without_a_rate() {
    let both = RatesRequest { bits_per_second: Some(8000), ..refilled(1 << 20, 1_000_000) };
    assert!(refusal(up(both)).contains("bits_per_second and refill_time_ns of --up conflict"));
    let both = RatesRequest { packets_per_second: Some(1), ..packets_refilled(1, 1_000_000) };
    assert!(refusal(up(both)).contains("packets_refill_time_ns of --up-pps conflict"));
    let time_only = RatesRequest { refill_time_ns: Some(1_000_000), ..Default::default() };
    assert!(refusal(up(time_only)).contains("give burst_bytes too"));
    let time_only = RatesRequest { packets_refill_time_ns: Some(1_000_000), ..Default::default() };
    assert!(refusal(up(time_only)).contains("give burst_packets too"));
}

#[test]
fn bursts_out_of_range_are_refused() {
    for burst in [0, 86_400_001, u64::MAX] {
        let message = refusal(up(RatesRequest { burst_bytes: Some(burst), ..bits(8000) }));
        assert!(message.contains("1b to 86400000b, which is a day"), "{message}");
        let request = LimitRequest { one_time_burst_bytes: Some(burst), ..up(bits(8000)) };
        let message = refusal(request);
        assert!(message.starts_with("one-time burst ") && message.contains("1b to 86400000b"));
    }
    for burst in [0, 86_401] {
        let message = refusal(up(RatesRequest { burst_packets: Some(burst), ..packets(1) }));
        assert!(message.contains("1 to 86400 packets"), "{message}");
    }
    for unit in [0, 65_537] {
        let message = refusal(LimitRequest { packet_unit_bytes: Some(unit), ..up(packets(1)) });
        assert!(message.ends_with("out of range: 1b to 64kb"), "{message}");
    }
    let message = LinkRequest { overhead_bytes: 65_536, ..Default::default() }.check().unwrap_err();
    assert_eq!(message.to_string(), "--overhead 65536 is out of range: 0 to 65535");
}

#[test]
fn what_needs_a_rate_is_refused_without_it() {
    let burst = RatesRequest { burst_bytes: Some(65_536), ..packets(10) };
    assert_eq!(refusal(up(burst)), "a burst in bytes needs a rate: give --up too");
    let request = LimitRequest { one_time_burst_bytes: Some(1), ..up(packets(10)) };
    assert_eq!(refusal(request), "--one-time-burst needs a rate: give --up, --down or --total too");
    let request = LimitRequest { packet_unit_bytes: Some(1), ..up(bits(8000)) };
    assert_eq!(
        refusal(request),
        "--packet-unit needs a rate: give --up-pps, --down-pps or --total-pps too"
    );
}

#[test]
fn what_passes_takes_nothing_that_describes_a_bucket() {
    let pass = LimitRequest { action: Action::Pass, ..Default::default() };
    assert!(pass.check(prefix()).is_ok());
    for (request, option) in [
        (LimitRequest { total: bits(8000), ..pass.clone() }, "--total"),
        (LimitRequest { down: packets(1), ..pass.clone() }, "--down-pps"),
        (LimitRequest { group: Some("acme".parse().unwrap()), ..pass.clone() }, "--group"),
        (LimitRequest { one_time_burst_bytes: Some(1), ..pass.clone() }, "--one-time-burst"),
        (LimitRequest { packet_unit_bytes: Some(1), ..pass.clone() }, "--packet-unit"),
        (LimitRequest { scope: Scope::Shared, ..pass.clone() }, "--scope shared"),
    ] {
        let message = refusal(request);
        assert!(message.starts_with(&format!("--action pass and {option} conflict")), "{message}");
    }
}

#[test]
fn a_peer_can_only_be_exempted() {
    let pass = LimitRequest { matches: Match::Peer, action: Action::Pass, ..Default::default() };
    let limit = pass.check(prefix()).unwrap().value;
    assert_eq!(limit.key().to_string(), "10.0.0.0/24 (peer)");
    let drop = LimitRequest { matches: Match::Peer, ..up(bits(8000)) };
    let message = refusal(drop);
    assert!(message.starts_with("--match peer and --action drop conflict"), "{message}");
    assert!(message.ends_with("so give --action pass"), "{message}");
}

#[test]
fn a_burst_below_the_default_earns_a_warning_unless_packets_wait() {
    let small = RatesRequest { burst_bytes: Some(65_536), ..bits(10_000_000) };
    let warnings = |action: &str, up| {
        let request = LimitRequest { action: action.parse().unwrap(), up, ..Default::default() };
        request.check(prefix()).unwrap().warnings
    };
    assert!(warnings("drop", small)[0].starts_with("burst 64kb of --up 10mbit is below 312500b"));
    let few = RatesRequest { burst_packets: Some(10), ..packets(100) };
    assert!(
        warnings("observe", few)[0]
            .starts_with("burst of 10 packets of --up-pps 100pps is below 45")
    );
    assert_eq!(warnings("drop", refilled(1 << 20, 100_000_000)).len(), 1);
    assert_eq!(warnings("drop", refilled(1 << 20, 1_000_000_000)).len(), 0);
    assert_eq!(warnings("pace", small).len(), 0);
    assert_eq!(warnings("pace", packets(100)).len(), 0);
    let group = GroupRequest { up: small, ..Default::default() };
    assert_eq!(group.check("acme".parse().unwrap()).unwrap().warnings.len(), 1);
}

#[test]
fn a_policy_names_the_entry_at_fault() {
    let refusal = |value: serde_json::Value| {
        let request: PolicyRequest = serde_json::from_value(value).unwrap();
        let error = request.check(64).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    };
    let down = json!({"bits_per_second": 8000});
    let limit = json!({"prefix": "10.0.0.7", "down": down});
    for (policy, expected) in [
        (json!({"limits": [{"prefix": "10.0.0.7"}]}), "limit 10.0.0.7/32: a limit without a rate"),
        (json!({"limits": [limit, limit]}), "limit 10.0.0.7/32 is given twice"),
        (
            json!({"limits": [{"prefix": "2001:db8::/65", "down": down}]}),
            "limit 2001:db8::/65: prefix 2001:db8::/65 is longer than an IPv6 host",
        ),
        (
            json!({"limits": [{"prefix": "::1", "down": down}, {"prefix": "::2", "down": down}]}),
            "limit ::/64 is given twice",
        ),
        (
            json!({"limits": [{"prefix": "10.0.0.7", "down": down, "group": "acme"}]}),
            "limit 10.0.0.7/32 names group acme, which is not among the groups",
        ),
        (json!({"groups": [{"name": "acme"}]}), "group acme: a group without a rate"),
        (
            json!({"groups": [{"name": "a", "down": down}, {"name": "a", "up": down}]}),
            "group a is given twice",
        ),
        (
            json!({"links": [{"interface": "eth1", "overhead_bytes": 70_000}]}),
            "link eth1: --overhead 70000 is out of range",
        ),
        (
            json!({"links": [{"interface": "eth1"}, {"interface": "eth1"}]}),
            "link eth1 is given twice",
        ),
    ] {
        let message = refusal(policy);
        assert!(message.starts_with(expected), "{message}");
    }
    let both =
        json!({"limits": [limit, {"prefix": "10.0.0.7", "match": "peer", "action": "pass"}]});
    assert!(serde_json::from_value::<PolicyRequest>(both).unwrap().check(64).is_ok());
}

#[test]
fn a_policy_passes_on_a_bounded_number_of_warnings() {
    let small = RatesRequest { burst_bytes: Some(1), ..bits(8_000_000) };
    let entry = |number: u8| LimitEntry {
        prefix: format!("10.0.0.{number}").parse().unwrap(),
        limit: up(small),
    };
    let request = PolicyRequest { limits: (0..200).map(entry).collect(), ..Default::default() };
    let warnings = request.check(64).unwrap().warnings;
    assert_eq!(warnings.len(), 21);
    assert!(warnings[0].starts_with("limit 10.0.0.0/32: burst 1b"), "{}", warnings[0]);
    assert_eq!(warnings[20], "and 180 more warnings");
}

#[test]
fn json_with_unknown_keys_or_wrong_types_is_refused_without_names_of_ours() {
    let parse = |text| serde_json::from_str::<LimitRequest>(text);
    assert_eq!(parse(r#"{"up":{"bits_per_second":8000}}"#).unwrap(), up(bits(8000)));
    let limits = [
        r#"{"up":{"bps":8000}}"#,
        r#"{"grp":"acme"}"#,
        "[1]",
        "5",
        r#"{"up":5}"#,
        r#"{"action":{}}"#,
    ];
    for text in limits {
        let message = parse(text).unwrap_err().to_string();
        assert!(!message.contains("Request") && !message.contains("struct"), "{message}");
    }
    for text in [
        r#"{"limits":[{"prefix":"10.0.0.0/24","downn":{}}]}"#,
        r#"{"limits":[{"down":{}}]}"#,
        r#"{"limits":[5]}"#,
        r#"{"limits":{}}"#,
        r#"{"groups":[{"name":"-x"}]}"#,
        r#"{"links":[{"interface":"eth1","sid":"far"}]}"#,
        r#"{"limit":[]}"#,
        "[1]",
        "null",
    ] {
        let message = serde_json::from_str::<PolicyRequest>(text).unwrap_err().to_string();
        for ours in ["Request", "Entry", "struct", "Vec", "Typed"] {
            assert!(!message.contains(ours), "{text}: {message}");
        }
    }
}
