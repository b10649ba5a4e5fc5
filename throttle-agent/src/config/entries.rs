//! Limits, groups and links of a file.

use throttle_common::{abi::Side, units::Size};

use super::section::Section;
use crate::{
    links::Pattern,
    policy::{
        Action, GroupName, GroupRequest, LimitRequest, LinkRequest, Match, ParentAction,
        RatesRequests, Scope, TypedRates,
    },
};

const RATE: &str = "\"10mbit\"";
const BURST: &str = "\"250ms\" or \"64kb\"";
const PACKETS: &str = "2000 or \"2kpps\"";

/// Keys that hold rates, in every table that has them.
const RATES: [&str; 14] = [
    "up",
    "down",
    "total",
    "burst",
    "up_burst",
    "down_burst",
    "total_burst",
    "up_pps",
    "down_pps",
    "total_pps",
    "pps_burst",
    "up_pps_burst",
    "down_pps_burst",
    "total_pps_burst",
];

const LIMIT: [&str; 8] =
    ["prefix", "prefixes", "match", "scope", "action", "group", "one_time_burst", "packet_unit"];
const GROUP: [&str; 2] = ["name", "action"];
const LINK: [&str; 4] = ["interface", "hosts", "overhead", "action"];

pub(super) fn limit_keys() -> Vec<&'static str> {
    [&LIMIT[..], &RATES].concat()
}

pub(super) fn group_keys() -> Vec<&'static str> {
    [&GROUP[..], &RATES].concat()
}

pub(super) fn link_keys() -> Vec<&'static str> {
    [&LINK[..], &RATES].concat()
}

/// A `[[link]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigLink {
    /// Names of its interfaces.
    pub pattern: Pattern,
    /// Where the hosts are, seen from it.
    pub side: Side,
    /// Its limit.
    pub request: LinkRequest,
}

/// What a `[[limit]]` asks for, its prefixes aside; `None` when a value cannot be read.
pub(super) fn limit(section: &mut Section<'_, '_>) -> Option<LimitRequest> {
    let before = section.problems.count();
    let matches: Match = section.choice("match").unwrap_or_default();
    let scope: Scope = section.choice("scope").unwrap_or_default();
    let action: Option<Action> = section.parsed("action", "\"drop\"");
    let group: Option<GroupName> = section.parsed("group", "\"acme\"");
    let one_time_burst: Option<Size> = section.parsed("one_time_burst", "\"50mb\"");
    let packet_unit: Option<Size> = section.parsed("packet_unit", "\"1500b\"");
    let RatesRequests { up, down, total } = rates(section)?;
    let request = LimitRequest {
        matches,
        scope,
        action: action.unwrap_or_default(),
        group,
        up,
        down,
        total,
        one_time_burst_bytes: one_time_burst.map(Size::bytes),
        packet_unit_bytes: packet_unit.map(Size::bytes),
    };
    (section.problems.count() == before).then_some(request)
}

/// A `[[group]]`.
pub(super) fn group(section: &mut Section<'_, '_>) -> Option<(GroupName, GroupRequest)> {
    let before = section.problems.count();
    let name = section.parsed("name", "\"acme\"");
    if !section.has("name") {
        section.refuse("name", "a group needs a name: write name = \"acme\"");
    }
    let action: Option<ParentAction> = section.choice("action");
    let RatesRequests { up, down, total } = rates(section)?;
    let request = GroupRequest { action: action.unwrap_or_default(), up, down, total };
    let name = name.filter(|_| section.problems.count() == before)?;
    Some((name, request))
}

/// A `[[link]]`.
pub(super) fn link(section: &mut Section<'_, '_>) -> Option<ConfigLink> {
    let before = section.problems.count();
    let pattern = section.parsed("interface", "\"eth1\" or \"wg*\"");
    if !section.has("interface") {
        section.refuse("interface", "a link needs an interface: write interface = \"eth1\"");
    }
    let side = match section.text("hosts", "\"far\" or \"near\"") {
        None | Some("far") => Side::Far,
        Some("near") => Side::Near,
        Some(other) => {
            section
                .refuse("hosts", format_args!("{other:?} is unknown: write \"far\" or \"near\""));
            Side::Far
        }
    };
    let overhead: Option<Overhead> = section.counted("overhead", "38 or \"38b\"");
    let action: Option<ParentAction> = section.choice("action");
    let RatesRequests { up, down, total } = rates(section)?;
    let action = action.unwrap_or_default();
    let overhead_bytes = overhead.map_or(0, |overhead| overhead.0);
    let request = LinkRequest { action, up, down, total, overhead_bytes };
    let pattern = pattern.filter(|_| section.problems.count() == before)?;
    Some(ConfigLink { pattern, side, request })
}

/// The rates of any table; `None` when they cannot be read or conflict.
fn rates(section: &mut Section<'_, '_>) -> Option<RatesRequests> {
    let before = section.problems.count();
    let typed = TypedRates {
        up: section.parsed("up", RATE),
        down: section.parsed("down", RATE),
        total: section.parsed("total", RATE),
        burst: section.parsed("burst", BURST),
        up_burst: section.parsed("up_burst", BURST),
        down_burst: section.parsed("down_burst", BURST),
        total_burst: section.parsed("total_burst", BURST),
        up_pps: section.counted("up_pps", PACKETS),
        down_pps: section.counted("down_pps", PACKETS),
        total_pps: section.counted("total_pps", PACKETS),
        pps_burst: packets(section, "pps_burst"),
        up_pps_burst: packets(section, "up_pps_burst"),
        down_pps_burst: packets(section, "down_pps_burst"),
        total_pps_burst: packets(section, "total_pps_burst"),
    };
    if section.problems.count() > before {
        return None;
    }
    typed.requests().map_err(|error| section.refuse_all(&error)).ok()
}

fn packets(section: &mut Section<'_, '_>, key: &str) -> Option<u64> {
    section.number(key, 1..=1_000_000_000)
}

/// Bytes per packet: a size, or a bare number, since the key is unit enough.
struct Overhead(u64);

impl std::str::FromStr for Overhead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        crate::policy::overhead(text).map(Self)
    }
}
