//! Address resolution works while a host is far over its limit.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use throttle_tests::command;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::scenario::SETTLED;
use throttle_tests::traffic::{Family, MBIT};

use super::{HOST, LINK, OFFERED};

#[test]
fn neighbours_are_resolved_while_the_host_is_far_over_its_limit() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.limit_both(|family| HOST.prefix(family), "each", MBIT).unwrap();
    let mut failures = Vec::new();
    let gateway_v6: IpAddr = "fe80::77:ff:fe00:1".parse().unwrap();
    let lan = lab.router.namespace(HOST);
    lan.ip(&format!("route replace default via {gateway_v6} dev eth0\n")).unwrap();
    for (family, gateway) in
        Family::ALL.into_iter().zip([End::Router.address(Family::V4), gateway_v6])
    {
        // For what it forwards the router asks by its link-local address.
        let host = HOST.address(family);
        failures.extend(resolves(&lab, family, End::Server, (End::Router, LINK), host));
        // The host asks for its gateway.
        failures.extend(resolves(&lab, family, End::Server, (HOST, "eth0"), gateway));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Floods the host up and, from `peer`, down; makes the kernel of `asking` forget `wanted`, which it then
/// has to ask for. Returns what went wrong.
fn resolves(
    lab: &Lab,
    family: Family,
    peer: End,
    (asking, interface): (End, &str),
    wanted: IpAddr,
) -> Option<String> {
    let reason = match family {
        Family::V4 => "not_ip",
        Family::V6 => "exempt",
    };
    let namespace = lab.router.namespace(asking);
    let floods = [(HOST, End::Server), (peer, HOST)]
        .map(|(from, to)| Flood::new(&lab.router, from, to, family).rate(OFFERED).start().unwrap());
    std::thread::sleep(SETTLED);
    let before = lab.reason(reason).unwrap();
    namespace.ip(&format!("neigh del {wanted} dev {interface}\n")).unwrap();
    let forgotten = Instant::now();
    let is_known = || {
        let show = format!("-n {} neigh show to {wanted} dev {interface}", namespace.name());
        command::ip(&show).unwrap().contains("lladdr")
    };
    while !is_known() && forgotten.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = forgotten.elapsed();
    drop(floods);
    let counted = lab.reason(reason).unwrap() - before;
    let what = format!("{asking:?} asks for {wanted}: {took:?}, {counted} more are {reason}");
    println!("{what}");
    // The kernel asks again after a second: no question and no answer was lost, and both are counted.
    (took > Duration::from_millis(900) || counted < 2).then_some(what)
}
