use super::*;
use crate::{
    datapath::HookKind,
    policy::{LimitRequest, RatesRequest},
};

const SECOND: Span = Span::from_nanoseconds(Span::NANOSECONDS_PER_SECOND);

/// What fq has room for unless told otherwise.
const FQ: FqRoom = FqRoom {
    packets: 10_000,
    flow_packets: 100,
    horizon: Span::from_nanoseconds(10 * SECOND.nanoseconds()),
    drops_beyond_horizon: true,
    mq: None,
};

fn mbit(mbit: u64) -> RatesRequest {
    RatesRequest { bits_per_second: Some(mbit * 1_000_000), ..Default::default() }
}

fn limit(prefix: &str, request: LimitRequest) -> Limit {
    let request = LimitRequest { action: "pace".parse().unwrap(), ..request };
    request.check(prefix.parse().unwrap()).unwrap().value
}

fn down(prefix: &str, down: RatesRequest) -> Limit {
    limit(prefix, LimitRequest { down, ..Default::default() })
}

fn said(limits: &[Limit], side: Side, fq: FqRoom) -> Vec<String> {
    let link = LinkStatus {
        interface: Some("lan0".into()),
        ifindex: 1,
        side,
        hook: HookKind::Tcx,
        pace_ready: Some(true),
        fq: Some(fq),
    };
    warnings(&limits.iter().collect::<Vec<_>>(), &link)
}

fn one(limits: &[Limit], fq: FqRoom) -> String {
    let mut said = said(limits, Side::Far, fq);
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

#[test]
fn a_burst_of_more_packets_than_fq_takes_is_told_with_what_mends_it() {
    let limit = [down("10.0.0.0/24", mbit(10))];
    assert_eq!(
        one(&limit, FQ),
        "lan0 may lose delayed packets of 10.0.0.0/24: a burst holds 209 of 1500b, and fq takes 100 \
         of a flow; run `tc qdisc replace dev lan0 root fq flow_limit 256` or give a smaller burst"
    );
    let few = FqRoom { packets: 200, ..FQ };
    let words = one(&limit, few);
    assert!(words.contains("fq takes 100 of a flow and 200 in all;"), "{words}");
    assert!(words.contains(" fq flow_limit 256 limit 256` or"), "{words}");
    let words = one(&limit, FqRoom { flow_packets: 209, ..few });
    assert!(words.contains("fq takes 200 in all;") && words.contains(" fq limit 256`"), "{words}");
    let enough = FqRoom { packets: 209, flow_packets: 209, ..FQ };
    assert_eq!(said(&limit, Side::Far, enough), Vec::<String>::new());
}

#[test]
fn only_what_leaves_by_the_link_waits() {
    let counts = |request: LimitRequest| {
        let limits = [limit("10.0.0.0/24", request)];
        [Side::Far, Side::Near].map(|side| said(&limits, side, FQ).len())
    };
    let none = LimitRequest::default;
    assert_eq!(counts(LimitRequest { down: mbit(10), up: mbit(1), ..none() }), [1, 0]);
    assert_eq!(counts(LimitRequest { up: mbit(10), down: mbit(1), ..none() }), [0, 1]);
    assert_eq!(counts(LimitRequest { total: mbit(10), ..none() }), [1, 1]);
    let link = LinkStatus {
        interface: Some("lan0".into()),
        ifindex: 1,
        side: Side::Far,
        hook: HookKind::Tcx,
        pace_ready: Some(false),
        fq: None,
    };
    assert_eq!(warnings(&[&down("10.0.0.0/24", mbit(10))], &link), Vec::<String>::new());
}

#[test]
fn bursts_in_packets_wait_as_well() {
    let kpps = RatesRequest { packets_per_second: Some(2000), ..mbit(1) };
    let words = one(&[down("10.0.0.0/24", kpps)], FQ);
    assert!(words.contains("a burst holds 500 of 1500b"), "{words}");
    assert!(words.contains("flow_limit 512`"), "{words}");
}

#[test]
fn a_burst_that_lasts_beyond_the_horizon_is_told_with_what_mends_it() {
    let slow = RatesRequest { bits_per_second: Some(8000), ..Default::default() };
    let limit = [down("10.0.0.7/32", slow)];
    assert_eq!(
        one(&limit, FQ),
        "lan0 may lose delayed packets of 10.0.0.7/32: a burst lasts 65536ms, and fq drops what \
         would wait longer than 10s; run `tc qdisc replace dev lan0 root fq horizon 66s` or give a \
         smaller burst"
    );
    let words = one(&limit, FqRoom { drops_beyond_horizon: false, ..FQ });
    assert!(words.starts_with("lan0 may hurry delayed packets of 10.0.0.7/32:"), "{words}");
    assert!(words.contains("and fq lets none wait longer than 10s;"), "{words}");
    let long = Span::from_nanoseconds(65_536_000_000);
    assert_eq!(said(&limit, Side::Far, FqRoom { horizon: long, ..FQ }).len(), 0);
    let pps = RatesRequest { packets_per_second: Some(1), ..Default::default() };
    let words = one(&[down("10.0.0.7/32", pps)], FQ);
    assert!(words.contains("a burst lasts 45s"), "{words}");
    // Options of fq are of 32 bits.
    let hours = RatesRequest { burst_bytes: Some(5_000_000), ..slow };
    let words = one(&[down("10.0.0.7/32", hours)], FqRoom { flow_packets: 10_000, ..FQ });
    assert!(words.ends_with("longer than 10s; give a smaller burst"), "{words}");
}

#[test]
fn many_limits_earn_one_warning_which_names_the_worst() {
    let limits = [
        down("10.0.0.0/24", mbit(10)),
        down("10.0.1.0/24", mbit(20)),
        down("10.0.2.0/24", mbit(1)),
    ];
    let words = one(&limits, FQ);
    assert!(words.contains("of 10.0.1.0/24 and 1 other limit: a burst holds 417 of"), "{words}");
    assert!(words.contains("flow_limit 512`"), "{words}");
}

#[test]
fn under_mq_each_queue_is_mended() {
    let limit = [down("10.0.0.0/24", mbit(10))];
    let of = |major| one(&limit, FqRoom { mq: Some(major), ..FQ });
    assert!(
        of(0x8001).ends_with(
            "run `tc qdisc replace dev lan0 parent 8001:N fq flow_limit 256` for each queue N of \
             mq, or give a smaller burst"
        ),
        "{}",
        of(0x8001)
    );
    assert!(
        of(0).ends_with(
            "run `tc qdisc replace dev lan0 root handle 1: mq` and, for each of its queues N, `tc \
             qdisc replace dev lan0 parent 1:N fq flow_limit 256`, or give a smaller burst"
        ),
        "{}",
        of(0)
    );
}
