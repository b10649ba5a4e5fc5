//! The control socket: HTTP and JSON between the agent and its command line.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/status` | [`StatusView`] |
//! | `GET /v1/limits` | a list of [`LimitView`](crate::policy::LimitView) |
//! | `GET /v1/limits/PREFIX?match=host` | [`LimitView`](crate::policy::LimitView) |
//! | `PUT /v1/limits/PREFIX` with a [`LimitRequest`](crate::policy::LimitRequest) | [`LimitSet`] |
//! | `DELETE /v1/limits/PREFIX?match=host` | [`LimitDeleted`] |
//! | `GET /v1/groups` | a list of [`GroupView`](crate::policy::GroupView) |
//! | `GET /v1/groups/NAME` | [`GroupView`](crate::policy::GroupView) |
//! | `PUT /v1/groups/NAME` with a [`GroupRequest`](crate::policy::GroupRequest) | [`GroupSet`] |
//! | `DELETE /v1/groups/NAME` | [`GroupDeleted`] |
//! | `GET /v1/links` | a list of [`LinkLimitView`](crate::policy::LinkLimitView) |
//! | `GET /v1/links/INTERFACE` | [`LinkLimitView`](crate::policy::LinkLimitView) |
//! | `PUT /v1/links/INTERFACE` with a [`LinkRequest`](crate::policy::LinkRequest) | [`LinkSet`] |
//! | `GET /v1/policy` | a [`PolicyRequest`](crate::policy::PolicyRequest) that asks for what is in force |
//! | `PUT /v1/policy` with a [`PolicyRequest`](crate::policy::PolicyRequest) | [`PolicyApplied`] |
//! | `GET /v1/hosts?top=N&sort=down` | a list of [`HostView`](crate::telemetry::HostView) |
//! | `GET /v1/hosts/IP` | [`HostView`](crate::telemetry::HostView) |
//! | `GET /v1/stats` | [`StatsView`](crate::telemetry::StatsView) |
//! | `GET /v1/stats/stream?every_seconds=N` | one such a line, without end; with `Accept: text/event-stream`, server-sent events |
//! | `GET /v1/events?follow=true&trace=bandwidth,packets,load,debug` | the last events, then those that come and reports of each second: [`Told`]s as lines or server-sent events |
//! | `POST /v1/detach` with a [`DetachRequest`] | [`Detached`] |
//!
//! A failure answers with a [`Refusal`](refusal::Refusal).

mod client;
mod gate;
mod messages;
pub mod refusal;
mod routes;
mod server;
mod socket;
mod stream;
mod told;

pub use client::Client;
pub use messages::{
    ChangeName, DetachRequest, Detached, GroupDeleted, GroupSet, LimitDeleted, LimitQuery,
    LimitSet, LinkSet, LinkSummary, PolicyApplied, StatusView, StreamQuery,
};
pub use server::serve;
pub use socket::{SocketFile, claim};
pub use told::{EventsQuery, Told};

#[cfg(test)]
mod tests;
