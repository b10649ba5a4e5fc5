//! A limit as it is asked for.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use throttle_common::units::Size;
use utoipa::ToSchema;

use super::{
    Checked, RatesRequest,
    object::object,
    rates::{Asked, Directions, Excess},
};
use crate::{
    error::{Error, Result},
    policy::{Action, GroupName, Limit, Match, Scope, range},
};

/// A limit as it is asked for: the body of `PUT /v1/limits/PREFIX`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object with a limit")]
pub struct LimitRequest {
    /// Whose address the prefix is compared with.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Who shares a bucket.
    pub scope: Scope,
    /// What happens to excess.
    pub action: Action,
    /// The group whose buckets are charged as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// Packets sent by hosts.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub up: RatesRequest,
    /// Packets sent to hosts.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub down: RatesRequest,
    /// Packets of both directions together.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub total: RatesRequest,
    /// Bytes that each byte bucket grants before it starts to count, at most what passes in a day.
    #[schema(minimum = 1, maximum = 4_320_000_000_000_000_u64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time_burst_bytes: Option<u64>,
    /// A packet counts as one packet for each so many bytes that it begins.
    #[schema(minimum = 1, maximum = 65_536)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_unit_bytes: Option<u64>,
}

impl LimitRequest {
    /// Fills in defaults and checks every value; whether the group exists, the engine checks.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the options at fault, when nothing is
    /// limited, options conflict, one lacks another that it needs, or a value is out of range.
    pub fn check(&self, prefix: IpNet) -> Result<Checked<Limit>> {
        self.check_match()?;
        if let Action::Pace { ecn_above: Some(time) } = self.action {
            range::check_time(&format!("--action {}", self.action), time)?;
        }
        let mut warnings = Vec::new();
        let Directions { up, down, total } = self.directions(&mut warnings)?;
        let limit = Limit {
            prefix,
            matches: self.matches,
            scope: self.scope,
            action: self.action,
            group: self.group.clone(),
            up,
            down,
            total,
            one_time_burst: self.one_time_burst_bytes.map(Size::from_bytes),
            packet_unit: self.packet_unit_bytes.map(Size::from_bytes),
        };
        Ok(Checked { value: limit, warnings })
    }

    fn check_match(&self) -> Result<()> {
        match (self.matches, self.action) {
            (Match::Peer, action) if action != Action::Pass => Err(Error::usage(format_args!(
                "--match peer and --action {action} conflict: by the other end's address, packets \
                 can only be exempted, so give --action pass"
            ))),
            (_, Action::Pass) => self.check_passes(),
            (Match::Host | Match::Peer, _) => Ok(()),
        }
    }

    /// What is exempt has no bucket, so nothing that describes one.
    fn check_passes(&self) -> Result<()> {
        let given = |option: &str, is_given: bool| is_given.then(|| option.to_owned());
        let surplus = self
            .asked()
            .first_option()
            .or_else(|| given("--group", self.group.is_some()))
            .or_else(|| given("--one-time-burst", self.one_time_burst_bytes.is_some()))
            .or_else(|| given("--packet-unit", self.packet_unit_bytes.is_some()))
            .or_else(|| given("--scope shared", self.scope == Scope::Shared));
        match surplus {
            Some(option) => Err(Error::usage(format_args!(
                "--action pass and {option} conflict: what passes is not limited, so give only one"
            ))),
            None => Ok(()),
        }
    }

    fn directions(&self, warnings: &mut Vec<String>) -> Result<Directions> {
        let excess = if self.action.paces() { Excess::Waits } else { Excess::Leaves };
        let directions = self.asked().check(excess, warnings)?;
        if self.action != Action::Pass {
            directions.check_any("limit")?;
        }
        if let Some(burst) = self.one_time_burst_bytes.map(Size::from_bytes) {
            if !directions.limit_bytes() {
                return Err(needs_rate("--one-time-burst", "--up, --down or --total"));
            }
            for (option, bytes) in directions.byte_rates() {
                range::check_burst("one-time burst", option, bytes.rate, burst)?;
            }
        }
        if let Some(unit) = self.packet_unit_bytes.map(Size::from_bytes) {
            if !directions.limit_packets() {
                return Err(needs_rate("--packet-unit", "--up-pps, --down-pps or --total-pps"));
            }
            range::check_packet_unit(unit)?;
        }
        Ok(directions)
    }

    fn asked(&self) -> Asked<'_> {
        Asked { up: &self.up, down: &self.down, total: &self.total }
    }
}

impl From<&Limit> for LimitRequest {
    /// What asks for this very limit.
    fn from(limit: &Limit) -> Self {
        Self {
            matches: limit.matches,
            scope: limit.scope,
            action: limit.action,
            group: limit.group.clone(),
            up: limit.up.into(),
            down: limit.down.into(),
            total: limit.total.into(),
            one_time_burst_bytes: limit.one_time_burst.map(Size::bytes),
            packet_unit_bytes: limit.packet_unit.map(Size::bytes),
        }
    }
}

fn needs_rate(option: &str, rates: &str) -> Error {
    Error::usage(format_args!("{option} needs a rate: give {rates} too"))
}
