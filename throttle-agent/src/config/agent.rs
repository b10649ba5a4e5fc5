//! `[agent]`: what an agent is started with.

use serde::{Deserialize, Serialize};
use throttle_common::host_table::sets_for;
use utoipa::ToSchema;

use super::section::Section;
use crate::{
    datapath::HookChoice,
    metrics::MetricsAddress,
    policy::{DEFAULT_IPV6_HOST_PREFIX, IPV6_HOST_PREFIXES},
};

/// The largest table of hosts or limits.
pub const MOST_ENTRIES: u32 = 1 << 24;

/// Hosts that the table has room for unless told otherwise.
const DEFAULT_MAX_HOSTS: u32 = 65_536;

/// Limits that the table has room for unless told otherwise.
const DEFAULT_MAX_LIMITS: u32 = 16_384;

pub(super) const KEYS: [&str; 5] =
    ["metrics", "ipv6_host_prefix", "max_hosts", "max_limits", "hook"];

/// What a file, or the command line, says about the agent itself; `None` leaves it at the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentKeys {
    /// Where metrics are served.
    #[schema(value_type = Option<String>)]
    pub metrics: Option<MetricsAddress>,
    /// Length of the IPv6 prefix that counts as one host, in bits.
    pub ipv6_host_prefix: Option<u8>,
    /// Capacity of the host table, in hosts.
    pub max_hosts: Option<u32>,
    /// Capacity of the limit table, in limits.
    pub max_limits: Option<u32>,
    /// How to attach.
    #[schema(value_type = Option<String>)]
    pub hook: Option<HookChoice>,
}

impl AgentKeys {
    /// Length of the IPv6 prefix that counts as one host.
    #[must_use]
    pub fn ipv6_host_prefix(&self) -> u8 {
        self.ipv6_host_prefix.unwrap_or(DEFAULT_IPV6_HOST_PREFIX)
    }

    /// Capacity of the host table, in hosts.
    #[must_use]
    pub fn max_hosts(&self) -> u32 {
        self.max_hosts.unwrap_or(DEFAULT_MAX_HOSTS)
    }

    /// Capacity of the limit table, in limits.
    #[must_use]
    pub fn max_limits(&self) -> u32 {
        self.max_limits.unwrap_or(DEFAULT_MAX_LIMITS)
    }

    /// How to attach.
    #[must_use]
    pub fn hook(&self) -> HookChoice {
        self.hook.unwrap_or_default()
    }

    /// These, and `other` where they say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            metrics: self.metrics.or(other.metrics),
            ipv6_host_prefix: self.ipv6_host_prefix.or(other.ipv6_host_prefix),
            max_hosts: self.max_hosts.or(other.max_hosts),
            max_limits: self.max_limits.or(other.max_limits),
            hook: self.hook.or(other.hook),
        }
    }

    /// What to know where an agent runs with other values: when it takes these up. Tables that a start adopts stay as
    /// they were made, and so do the hooks of links.
    #[must_use]
    pub fn differences(&self, running: &Self) -> Vec<String> {
        let bits = running.ipv6_host_prefix();
        let sets = sets_for(running.max_hosts());
        let differs = [
            ("metrics", NEXT_START, differs(self.metrics.map(Some), running.metrics)),
            ("ipv6_host_prefix", NEW_TABLES, differs(self.ipv6_host_prefix, bits)),
            ("max_hosts", NEW_TABLES, differs(self.max_hosts.map(sets_for), sets)),
            ("max_limits", NEW_TABLES, differs(self.max_limits, running.max_limits())),
            ("hook", NEW_LINKS, differs(self.hook, running.hook())),
        ];
        let told = |(key, when, differs): (&str, &str, bool)| {
            differs.then(|| format!("[agent] {key} takes effect {when}"))
        };
        differs.into_iter().filter_map(told).collect()
    }
}

/// Whether a value is asked for that is not the one that runs.
fn differs<T: PartialEq>(asked: Option<T>, running: T) -> bool {
    asked.is_some_and(|asked| asked != running)
}

const NEXT_START: &str = "at the next start";
const NEW_LINKS: &str = "at the next start, at links that are attached from then on";
const NEW_TABLES: &str = "at the first start after `detach --all` or a reboot";

pub(super) fn read(section: &mut Section<'_, '_>) -> AgentKeys {
    let (shortest, longest) = (*IPV6_HOST_PREFIXES.start(), *IPV6_HOST_PREFIXES.end());
    let entries = 1..=u64::from(MOST_ENTRIES);
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    AgentKeys {
        metrics: section.parsed("metrics", "\"127.0.0.1:9190\""),
        ipv6_host_prefix: section
            .number("ipv6_host_prefix", shortest.into()..=longest.into())
            .and_then(|bits| u8::try_from(bits).ok()),
        max_hosts: small(section.number("max_hosts", entries.clone())),
        max_limits: small(section.number("max_limits", entries)),
        hook: section.choice("hook"),
    }
}
