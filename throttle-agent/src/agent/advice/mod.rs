//! What an operator should know about the state of things.

mod bursts;
mod paths;
mod room;

use std::collections::BTreeSet;

use throttle_common::abi::Side;

use crate::{
    datapath::{LinkReport, LinkStatus},
    links::Surroundings,
    policy::Limit,
    telemetry::HostsView,
};

/// Where limits that pace cannot delay packets as they should: those that come in by a link, and those
/// that a link's queues have no room for.
#[must_use]
pub fn pace_warnings(limits: &[Limit], links: &[LinkStatus]) -> Vec<String> {
    let paced = paced(limits);
    if paced.is_empty() {
        return Vec::new();
    }
    // Many limits earn the same few warnings.
    let incoming: BTreeSet<_> = paced
        .iter()
        .flat_map(|limit| links.iter().filter_map(|link| comes_in(limit, link)))
        .collect();
    incoming.into_iter().chain(queue_warnings(&paced, links)).collect()
}

/// Whether `status` may warn of a limit, or of a link because of it.
#[must_use]
pub(crate) fn may_warn_of(limit: &Limit) -> bool {
    limit.action.paces() || bursts::is_small(limit)
}

/// What `status` warns of, but for what it says of each link.
#[must_use]
pub fn status_warnings(under_pressure: bool, hosts: HostsView, limits: &[Limit]) -> Vec<String> {
    let full = under_pressure.then(|| {
        format!(
            "the host table is under pressure: {hosts}; `export` the policy, `detach --all` and \
             run that file with a larger --max-hosts, or limit prefixes with --scope shared"
        )
    });
    full.into_iter().chain(bursts::warning(limits)).collect()
}

/// What `status` warns of at each link.
#[must_use]
pub(crate) fn link_warnings(
    limits: &[Limit],
    links: &[LinkReport],
    around: &Surroundings,
) -> Vec<Vec<String>> {
    let paced = paced(limits);
    let of = |link: &LinkReport| {
        let queues = queue_warnings(&paced, std::slice::from_ref(&link.status));
        queues.into_iter().chain(paths::warnings(link, links, around)).collect()
    };
    links.iter().map(of).collect()
}

fn paced(limits: &[Limit]) -> Vec<&Limit> {
    limits.iter().filter(|limit| limit.action.paces()).collect()
}

/// Packets that leave by a link are those to hosts beyond it, or from hosts on this side.
fn comes_in(limit: &Limit, link: &LinkStatus) -> Option<String> {
    let (word, directed) = match link.side {
        Side::Far => ("up", limit.up),
        Side::Near => ("down", limit.down),
    };
    let option = if directed.is_empty() { "total" } else { word };
    let is_limited = !directed.is_empty() || !limit.total.is_empty();
    let name = link.interface.as_deref().filter(|_| is_limited)?;
    Some(format!(
        "{name} delays only packets that leave by it: excess of --{option} that comes in by it is \
         dropped"
    ))
}

/// What the queues of links cannot do for limits that pace.
fn queue_warnings(paced: &[&Limit], links: &[LinkStatus]) -> Vec<String> {
    let of = |link: &LinkStatus| not_ready(link).into_iter().chain(room::warnings(paced, link));
    links.iter().flat_map(of).collect()
}

/// A link on which limits want to delay packets and cannot.
fn not_ready(link: &LinkStatus) -> Option<String> {
    let name = link.interface.as_deref().filter(|_| link.pace_ready == Some(false))?;
    Some(format!(
        "{name} cannot delay packets, which a limit with action pace needs: run \
         `tc qdisc replace dev {name} root fq flow_limit 1000`; with several queues use mq and put fq under each"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::fake::FakeEngine,
        datapath::HookKind,
        policy::{LimitRequest, RatesRequest},
        telemetry::Telemetry,
    };

    fn link(name: &str, side: Side, pace_ready: Option<bool>) -> LinkStatus {
        LinkStatus {
            interface: Some(name.to_owned()),
            ifindex: 1,
            side,
            hook: HookKind::Tcx,
            pace_ready,
            fq: None,
        }
    }

    fn warnings(action: &str, directions: &[&str]) -> Vec<String> {
        let rates = |name: &str| RatesRequest {
            bits_per_second: directions.contains(&name).then_some(1_000_000),
            ..Default::default()
        };
        let request = LimitRequest {
            action: action.parse().unwrap(),
            up: rates("up"),
            down: rates("down"),
            total: rates("total"),
            ..Default::default()
        };
        let limit = request.check("10.0.0.0/24".parse().unwrap()).unwrap().value;
        pace_warnings(
            &[limit],
            &[link("lan0", Side::Far, Some(true)), link("wan0", Side::Near, Some(true))],
        )
    }

    #[test]
    fn pace_delays_only_what_leaves() {
        let of = |directions: &[&str]| {
            let words = warnings("pace", directions);
            words.iter().map(|text| text.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&["up"]), ["lan0"]);
        assert_eq!(of(&["down"]), ["wan0"]);
        assert_eq!(of(&["up", "down"]), ["lan0", "wan0"]);
        assert_eq!(of(&["total"]), ["lan0", "wan0"]);
        assert!(warnings("pace", &["total"])[0].contains("excess of --total"));
        assert!(warnings("pace:20ms", &["up"])[0].contains("excess of --up"));
        assert_eq!(warnings("drop", &["up", "down"]), Vec::<String>::new());
    }

    #[test]
    fn pressure_on_the_host_table_is_told_while_it_lasts() {
        let mut engine = FakeEngine::new();
        let mut telemetry = Telemetry::default();
        let mut warned = |packets| {
            engine.packets = packets;
            let hosts = telemetry.update(&engine.counters()).hosts;
            status_warnings(telemetry.under_pressure(), hosts, &[]).pop()
        };
        assert_eq!(warned(1), None);
        let words = warned(2).unwrap();
        assert!(words.contains("1 hosts tracked, room for 2, 24 packets"), "{words}");
        assert!(words.contains("--max-hosts"), "{words}");
        let quiet: Vec<_> = (0..5).map(|_| warned(2).is_some()).collect();
        assert_eq!(quiet, [true, true, true, true, false]);
    }

    #[test]
    fn a_link_without_fq_is_told_how_to_get_it() {
        let links = [
            link("eth1", Side::Far, Some(false)),
            link("eth2", Side::Far, Some(true)),
            link("eth3", Side::Far, None),
        ];
        let warnings = queue_warnings(&[], &links);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].contains("`tc qdisc replace dev eth1 root fq flow_limit 1000`"),
            "{}",
            warnings[0]
        );
        assert!(warnings[0].contains("mq"));
    }
}
