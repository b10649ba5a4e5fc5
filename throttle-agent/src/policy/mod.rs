//! The policy: limits as an operator states them, validated and free of any map layout.

mod action;
mod burst;
mod dscp;
mod group;
mod limit;
mod plan;
mod prefix;
mod range;
mod rates;
mod request;
mod text;
mod typed;
mod typed_rates;
mod view;

use std::collections::BTreeMap;

pub use action::{Action, ActionError, ParentAction};
pub use burst::{Burst, BurstError, stalls};
pub use dscp::{Dscp, DscpError};
pub use group::{Group, GroupName, GroupNameError};
pub use limit::{Limit, LimitKey, LinkLimit, Match, Scope};
pub use plan::{Planned, PolicyPlan};
pub use prefix::{DEFAULT_IPV6_HOST_PREFIX, IPV6_HOST_PREFIXES, TypedPrefix, host_name, is_host};
pub use rates::{ByteRate, PacketRate, Rates};
#[cfg(test)]
pub(crate) use request::tests::round_trip::policy as any_policy;
pub use request::{
    Checked, GroupEntry, GroupRequest, LimitEntry, LimitRequest, LinkEntry, LinkRequest,
    PolicyRequest, RatesRequest,
};
pub use typed::{TypedPacketRate, TypedPacketRateError, TypedRate, TypedRateError, overhead};
pub use typed_rates::{RatesRequests, TypedRates};
pub use view::{GroupView, LimitView, LinkLimitView, RatesView};

/// Everything that an instance enforces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Every limit; no two have the same key.
    pub limits: Vec<Limit>,
    /// Every group; no two have the same name.
    pub groups: Vec<Group>,
    /// The limits of links, by interface; a link that is missing is not limited.
    pub links: BTreeMap<String, LinkLimit>,
}

impl Policy {
    /// This policy with the entries of `other` beside its own, or in their place.
    #[must_use]
    pub fn with(&self, other: Self) -> Self {
        let limits = self.limits.iter().chain(&other.limits);
        let limits: BTreeMap<_, _> = limits.map(|limit| (limit.key(), limit)).collect();
        let groups = self.groups.iter().chain(&other.groups);
        let groups: BTreeMap<_, _> = groups.map(|group| (&group.name, group)).collect();
        let mut links = self.links.clone();
        links.extend(other.links);
        Self {
            limits: limits.into_values().cloned().collect(),
            groups: groups.into_values().cloned().collect(),
            links,
        }
    }
}
