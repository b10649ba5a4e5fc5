//! A policy as a file that asks for it.

use std::fmt::{Display, Write};

use throttle_common::{
    abi::Side,
    units::{BitRate, PacketsPerSecond, Size, Span},
};

use super::AgentKeys;
use crate::{
    policy::{
        DEFAULT_IPV6_HOST_PREFIX, GroupEntry, LimitEntry, LinkRequest, Match, ParentAction,
        PolicyRequest, RatesRequest, Scope,
    },
    telemetry::side_name,
};

/// The text of a file that asks for these links and this policy.
///
/// Links that the policy limits have to be among the links.
#[must_use]
pub fn write(agent: &AgentKeys, links: &[(String, Side)], policy: &PolicyRequest) -> String {
    let mut text = String::new();
    let bits = agent.ipv6_host_prefix();
    if bits != DEFAULT_IPV6_HOST_PREFIX {
        text.push_str("[agent]\n");
        bare(&mut text, "ipv6_host_prefix", bits);
    }
    for (interface, side) in links {
        let limit = policy.links.iter().find(|entry| entry.interface == *interface);
        begin(&mut text, "link");
        quoted(&mut text, "interface", glob::Pattern::escape(interface));
        quoted(&mut text, "hosts", side_name(*side));
        link(&mut text, &limit.map(|entry| entry.link).unwrap_or_default());
    }
    policy.groups.iter().for_each(|entry| group(&mut text, entry));
    policy.limits.iter().for_each(|entry| limit(&mut text, entry));
    text
}

fn link(text: &mut String, link: &LinkRequest) {
    if link.overhead_bytes > 0 {
        bare(text, "overhead", link.overhead_bytes);
    }
    parent_action(text, link.action);
    rates(text, [&link.up, &link.down, &link.total]);
}

fn group(text: &mut String, GroupEntry { name, group }: &GroupEntry) {
    begin(text, "group");
    quoted(text, "name", name);
    parent_action(text, group.action);
    rates(text, [&group.up, &group.down, &group.total]);
}

fn limit(text: &mut String, LimitEntry { prefix, limit }: &LimitEntry) {
    begin(text, "limit");
    quoted(text, "prefix", prefix);
    if limit.matches != Match::default() {
        quoted(text, "match", limit.matches);
    }
    if limit.scope != Scope::default() {
        quoted(text, "scope", limit.scope);
    }
    if limit.action != Default::default() {
        quoted(text, "action", limit.action);
    }
    if let Some(group) = &limit.group {
        quoted(text, "group", group);
    }
    rates(text, [&limit.up, &limit.down, &limit.total]);
    let sizes =
        [("one_time_burst", limit.one_time_burst_bytes), ("packet_unit", limit.packet_unit_bytes)];
    for (key, bytes) in sizes {
        if let Some(bytes) = bytes {
            quoted(text, key, Size::from_bytes(bytes));
        }
    }
}

fn parent_action(text: &mut String, action: ParentAction) {
    if action != ParentAction::default() {
        quoted(text, "action", action);
    }
}

fn rates(text: &mut String, requests: [&RatesRequest; 3]) {
    for (name, rates) in ["up", "down", "total"].into_iter().zip(requests) {
        byte_rate(text, name, rates);
        packet_rate(text, name, rates);
    }
}

fn byte_rate(text: &mut String, name: &str, rates: &RatesRequest) {
    let burst = rates.burst_bytes.map(Size::from_bytes);
    match (rates.bits_per_second, rates.refill_time_ns, burst) {
        (Some(rate), _, burst) => {
            quoted(text, name, BitRate::from_bits_per_second(rate));
            if let Some(burst) = burst {
                quoted(text, &format!("{name}_burst"), burst);
            }
        }
        (None, Some(time), Some(burst)) => {
            quoted(text, name, format_args!("{burst}/{}", Span::from_nanoseconds(time)));
        }
        (None, _, _) => {}
    }
}

fn packet_rate(text: &mut String, name: &str, rates: &RatesRequest) {
    let burst = rates.burst_packets;
    match (rates.packets_per_second, rates.packets_refill_time_ns, burst) {
        (Some(rate), _, burst) => {
            let rate = PacketsPerSecond::from_packets_per_second(rate);
            quoted(text, &format!("{name}_pps"), rate);
            if let Some(burst) = burst {
                bare(text, &format!("{name}_pps_burst"), burst);
            }
        }
        (None, Some(time), Some(burst)) => {
            let time = Span::from_nanoseconds(time);
            quoted(text, &format!("{name}_pps"), format_args!("{burst}/{time}"));
        }
        (None, _, _) => {}
    }
}

fn begin(text: &mut String, table: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    line(text, format_args!("[[{table}]]"));
}

fn quoted(text: &mut String, key: &str, value: impl Display) {
    let value = toml::Value::String(value.to_string());
    line(text, format_args!("{key} = {value}"));
}

fn bare(text: &mut String, key: &str, value: impl Display) {
    line(text, format_args!("{key} = {value}"));
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _done = writeln!(text, "{words}");
}
