//! What `limit set` and the control socket accept, and what they make of it.

use proptest::prelude::*;

use super::*;
use crate::error::Kind;

fn prefix() -> IpNet {
    "10.0.0.0/24".parse().unwrap()
}

fn bits(bits_per_second: u64) -> RatesRequest {
    RatesRequest { bits_per_second: Some(bits_per_second), ..Default::default() }
}

fn packets(packets_per_second: u64) -> RatesRequest {
    RatesRequest { packets_per_second: Some(packets_per_second), ..Default::default() }
}

fn refusal(request: LimitRequest) -> String {
    let error = request.check(prefix()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    error.to_string()
}

#[test]
fn defaults_are_filled_in() {
    let request = LimitRequest { down: bits(10_000_000), up: packets(2000), ..Default::default() };
    let Checked { limit, warnings } = request.check(prefix()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(limit.scope, Scope::Each);
    assert_eq!(limit.action, Action::Drop);
    assert_eq!(limit.down.bytes.unwrap().burst.bytes(), 312_500);
    assert_eq!(limit.down.packets, None);
    assert_eq!(limit.up.packets.unwrap().burst_packets, 500);
    assert_eq!(limit.up.bytes, None);
}

#[test]
fn a_limit_without_rates_is_refused() {
    assert!(
        refusal(LimitRequest::default()).contains("limits nothing: give --up, --down, --total")
    );
}

#[test]
fn total_and_directional_rates_of_one_kind_conflict() {
    let conflict = |request| refusal(request);
    assert_eq!(
        conflict(LimitRequest { total: bits(8000), up: bits(8000), ..Default::default() }),
        "--total and --up conflict: give either the total, or --up and --down"
    );
    assert_eq!(
        conflict(LimitRequest { total: packets(1), down: packets(1), ..Default::default() }),
        "--total-pps and --down-pps conflict: give either the total, or --up-pps and --down-pps"
    );
    let kinds_differ = LimitRequest { total: bits(8000), up: packets(1), ..Default::default() };
    assert!(kinds_differ.check(prefix()).is_ok());
}

#[test]
fn rates_out_of_range_are_refused() {
    for rate in [0, 7_999, 400_000_000_001, u64::MAX] {
        let message = refusal(LimitRequest { up: bits(rate), ..Default::default() });
        assert!(message.starts_with("--up ") && message.ends_with("8kbit to 400gbit"), "{message}");
    }
    for rate in [0, 1_000_000_001] {
        let message = refusal(LimitRequest { total: packets(rate), ..Default::default() });
        assert!(message.starts_with("--total-pps ") && message.ends_with("1pps to 1000mpps"));
    }
}

#[test]
fn bursts_out_of_range_are_refused() {
    for burst in [0, 86_400_001, u64::MAX] {
        let up = RatesRequest { burst_bytes: Some(burst), ..bits(8000) };
        let message = refusal(LimitRequest { up, ..Default::default() });
        assert!(message.contains("1b to 86400000b, which is a day"), "{message}");
    }
    for burst in [0, 86_401] {
        let up = RatesRequest { burst_packets: Some(burst), ..packets(1) };
        let message = refusal(LimitRequest { up, ..Default::default() });
        assert!(message.contains("1 to 86400 packets"), "{message}");
    }
}

#[test]
fn a_burst_without_its_rate_is_refused() {
    let up = RatesRequest { burst_bytes: Some(65_536), ..packets(10) };
    let message = refusal(LimitRequest { up, ..Default::default() });
    assert_eq!(message, "a burst in bytes needs a rate: give --up too");
}

#[test]
fn a_burst_below_the_default_earns_a_warning() {
    let down = RatesRequest { burst_bytes: Some(65_536), ..bits(10_000_000) };
    let checked = LimitRequest { down, ..Default::default() }.check(prefix()).unwrap();
    assert_eq!(checked.limit.down.bytes.unwrap().burst.bytes(), 65_536);
    assert!(checked.warnings[0].starts_with("burst 64kb of --down 10mbit is below 312500b"));
    let up = RatesRequest { burst_packets: Some(10), ..packets(100) };
    let checked = LimitRequest { up, ..Default::default() }.check(prefix()).unwrap();
    assert!(checked.warnings[0].starts_with("burst of 10 packets of --up-pps 100pps is below 45"));
}

#[test]
fn json_with_unknown_keys_is_refused() {
    let parse = |text| serde_json::from_str::<LimitRequest>(text);
    assert_eq!(parse(r#"{"down":{"bits_per_second":8000}}"#).unwrap().down, bits(8000));
    assert!(parse(r#"{"down":{"bps":8000}}"#).is_err());
    assert!(parse(r#"{"group":"acme"}"#).is_err());
}

proptest! {
    #[test]
    fn an_accepted_limit_has_usable_rates(up: Option<u64>, burst: Option<u64>, pps: Option<u64>) {
        let up = RatesRequest { bits_per_second: up, burst_bytes: burst, packets_per_second: pps, burst_packets: None };
        if let Ok(checked) = (LimitRequest { up, ..Default::default() }).check(prefix()) {
            let rates = checked.limit.up;
            prop_assert!(!rates.is_empty());
            if let Some(bytes) = rates.bytes {
                prop_assert!((8_000..=400_000_000_000).contains(&bytes.rate.bits_per_second()));
                prop_assert!(bytes.burst.bytes() > 0);
            }
        }
    }
}
