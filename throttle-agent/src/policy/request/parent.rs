//! Groups and links as they are asked for: buckets above those of hosts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Checked, RatesRequest,
    object::object,
    rates::{Asked, Directions, Excess},
};
use crate::{
    error::{Error, Result},
    policy::{Group, GroupName, LinkLimit, ParentAction},
};

/// A group as it is asked for: the body of `PUT /v1/groups/NAME`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object with a group")]
pub struct GroupRequest {
    /// What happens to packets that it has no room for.
    pub action: ParentAction,
    /// Packets sent by its hosts.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub up: RatesRequest,
    /// Packets sent to its hosts.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub down: RatesRequest,
    /// Packets of both directions together.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub total: RatesRequest,
}

/// The limit of a link as it is asked for: the body of `PUT /v1/links/INTERFACE`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object with a link's limit")]
pub struct LinkRequest {
    /// What happens to packets that the link has no room for.
    pub action: ParentAction,
    /// Packets sent by hosts.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub up: RatesRequest,
    /// Packets sent to hosts.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub down: RatesRequest,
    /// Packets of both directions together.
    #[serde(skip_serializing_if = "RatesRequest::is_empty", deserialize_with = "object")]
    pub total: RatesRequest,
    /// Counted on top of the layer-3 length of every packet.
    #[schema(maximum = 65_535)]
    pub overhead_bytes: u64,
}

impl GroupRequest {
    /// Fills in defaults and checks every value.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the options at fault, when nothing is
    /// limited, options conflict, or a value is out of range.
    pub fn check(&self, name: GroupName) -> Result<Checked<Group>> {
        let mut warnings = Vec::new();
        let asked = Asked { up: &self.up, down: &self.down, total: &self.total };
        let directions = asked.check(Excess::Leaves, &mut warnings)?;
        directions.check_any("group")?;
        let Directions { up, down, total } = directions;
        Ok(Checked { value: Group { name, action: self.action, up, down, total }, warnings })
    }
}

impl LinkRequest {
    /// Fills in defaults and checks every value; a link may be asked to limit nothing.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the options at fault, when options
    /// conflict or a value is out of range.
    pub fn check(&self) -> Result<Checked<LinkLimit>> {
        let mut warnings = Vec::new();
        let asked = Asked { up: &self.up, down: &self.down, total: &self.total };
        let Directions { up, down, total } = asked.check(Excess::Leaves, &mut warnings)?;
        let overhead_bytes = u16::try_from(self.overhead_bytes).map_err(|_| {
            Error::usage(format_args!(
                "--overhead {} is out of range: 0 to {}",
                self.overhead_bytes,
                u16::MAX
            ))
        })?;
        let limit = LinkLimit { action: self.action, up, down, total, overhead_bytes };
        Ok(Checked { value: limit, warnings })
    }
}

impl From<&Group> for GroupRequest {
    /// What asks for this very group.
    fn from(group: &Group) -> Self {
        Self {
            action: group.action,
            up: group.up.into(),
            down: group.down.into(),
            total: group.total.into(),
        }
    }
}

impl From<&LinkLimit> for LinkRequest {
    /// What asks for this very limit.
    fn from(limit: &LinkLimit) -> Self {
        Self {
            action: limit.action,
            up: limit.up.into(),
            down: limit.down.into(),
            total: limit.total.into(),
            overhead_bytes: limit.overhead_bytes.into(),
        }
    }
}
