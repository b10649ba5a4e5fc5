//! What requests and answers hold.

use std::num::NonZeroU32;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    agent::NetnsId,
    config::AgentKeys,
    datapath::{Applied, Change, LinkReport, Position},
    links::{LinkState, Surroundings},
    policy::{GroupName, GroupView, LimitView, LinkLimitView, Match, PolicyPlan},
    telemetry::{HostsView, hook_name, side_name},
};

/// Answer to a limit that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitSet {
    /// The limit in force, defaults filled in.
    pub limit: LimitView,
    /// What setting it did.
    pub change: ChangeName,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

/// Answer to a group that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupSet {
    /// The group in force, defaults filled in.
    pub group: GroupView,
    /// What setting it did.
    pub change: ChangeName,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

/// Answer to the limit of a link that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkSet {
    /// The limit in force, defaults filled in.
    pub link: LinkLimitView,
    /// What setting it did.
    pub change: ChangeName,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

/// Answer to a policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyApplied {
    /// Limits that are new or changed.
    pub limits_set: usize,
    /// Limits that are gone.
    pub limits_deleted: usize,
    /// Groups that are new or changed.
    pub groups_set: usize,
    /// Groups that are gone.
    pub groups_deleted: usize,
    /// Links whose limits changed.
    pub links_set: usize,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

impl PolicyApplied {
    /// What applying a policy did, and what to know about it.
    #[must_use]
    pub fn new(applied: Applied, warnings: Vec<String>) -> Self {
        let Applied { limits_set, limits_deleted, groups_set, groups_deleted, links_set } = applied;
        Self { limits_set, limits_deleted, groups_set, groups_deleted, links_set, warnings }
    }
}

/// What setting a limit or a group did, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeName {
    /// There was none.
    Created,
    /// There was another one.
    Replaced,
    /// There was this very one.
    Unchanged,
}

impl From<Change> for ChangeName {
    fn from(change: Change) -> Self {
        match change {
            Change::Created => Self::Created,
            Change::Replaced => Self::Replaced,
            Change::Unchanged => Self::Unchanged,
        }
    }
}

/// Answer to a limit that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitDeleted {
    /// Its prefix.
    #[schema(value_type = String, example = "10.0.0.0/24")]
    pub deleted: IpNet,
    /// Whose address the prefix was compared with.
    #[serde(rename = "match")]
    pub matches: Match,
}

/// Answer to a group that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupDeleted {
    /// Its name.
    pub deleted: GroupName,
}

/// Which of the limits of a prefix is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct LimitQuery {
    /// Whose address the prefix is compared with; without it, the host's.
    #[serde(rename = "match")]
    #[param(inline)]
    pub matches: Option<Match>,
}

/// Answer to a policy: what it did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PolicyAnswer {
    /// It is in force.
    Applied(PolicyApplied),
    /// It was a dry run.
    Plan(PolicyPlan),
}

/// How a policy is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyQuery {
    /// Tell what would change, and change nothing.
    pub dry_run: bool,
    /// Interfaces may be globs, and those that are not attached earn a warning.
    pub globs: bool,
}

/// What to detach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "an object with \"interface\" or \"all\""
)]
pub enum DetachRequest {
    /// One interface.
    Interface(String),
    /// Everything; the agent exits.
    All {},
}

/// Answer to what was detached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detached {
    /// Names of the interfaces.
    pub detached: Vec<String>,
}

/// The agent at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// Name of the instance.
    pub instance: String,
    /// Version of the agent.
    pub version: String,
    /// Number of its process.
    pub pid: u32,
    /// Time since it started.
    pub uptime_seconds: f64,
    /// Whether it took over what an earlier process had left in force.
    pub adopted: bool,
    /// Path of the control socket.
    pub control_socket: String,
    /// The network namespace it works in.
    pub netns: NetnsView,
    /// The interfaces it is attached to.
    pub links: Vec<LinkSummary>,
    /// What it works with; `null` is the default.
    #[serde(default)]
    pub settings: AgentKeys,
    /// Number of limits.
    pub limits: usize,
    /// The host table.
    pub hosts: HostsView,
    /// What the operator should know about the state of things, that of links included.
    pub warnings: Vec<String>,
}

/// A network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetnsView {
    /// Name or path that was given; `null` for the one in which the agent was started.
    pub name: Option<String>,
    /// Its number, as in `ls -i /run/netns` and `readlink /proc/PID/ns/net`.
    pub inode: u64,
}

impl From<&NetnsId> for NetnsView {
    fn from(id: &NetnsId) -> Self {
        Self { name: id.name.as_ref().map(ToString::to_string), inode: id.inode }
    }
}

/// One link at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkSummary {
    /// Name of the interface; `null` when the interface is gone.
    pub interface: Option<String>,
    /// Index of the interface.
    pub ifindex: u32,
    /// Where the hosts are: `far` or `near`.
    pub side: String,
    /// How the program is attached: `tcx` or `clsact`.
    pub hook: String,
    /// Where the program is at ingress; `null` when it has been detached.
    pub ingress: Option<Position>,
    /// Where the program is at egress; `null` when it has been detached.
    pub egress: Option<Position>,
    /// The egress qdisc, as in `fq`, or `mq:fq` with those of its queues; `null` when the interface is
    /// gone.
    pub qdisc: Option<String>,
    /// Whether packets can pass: `up`, `down`, `no_carrier`; `unknown` when the interface is gone.
    pub state: String,
    /// Whether limits can delay packets on it; `null` when none does.
    pub pace_ready: Option<bool>,
    /// What the operator should know about it.
    pub warnings: Vec<String>,
}

impl LinkSummary {
    /// Joins what is known of a link.
    pub(super) fn new(report: &LinkReport, around: &Surroundings, warnings: Vec<String>) -> Self {
        let link = &report.status;
        Self {
            ingress: report.ingress,
            egress: report.egress,
            qdisc: around.qdisc(link),
            state: state_name(around.state(link)).to_owned(),
            warnings,
            interface: link.interface.clone(),
            ifindex: link.ifindex,
            side: side_name(link.side).to_owned(),
            hook: hook_name(link.hook).to_owned(),
            pace_ready: link.pace_ready,
        }
    }
}

fn state_name(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::Down => "down",
        LinkState::NoCarrier => "no_carrier",
        LinkState::Unknown => "unknown",
    }
}

/// How often to stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    /// A line every so many seconds.
    #[serde(default = "one")]
    #[param(value_type = u32, minimum = 1, default = 1, required = false)]
    pub every_seconds: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}
