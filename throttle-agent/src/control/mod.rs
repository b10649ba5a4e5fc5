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
//! | `PUT /v1/policy?dry_run=true&globs=true` | a [`PolicyPlan`](crate::policy::PolicyPlan); links may be globs |
//! | `PATCH /v1/policy` with a [`PolicyRequest`](crate::policy::PolicyRequest) to add | [`PolicyApplied`] |
//! | `POST /v1/reload` | [`PolicyApplied`], once the configuration file is in force |
//! | `GET /v1/hosts?top=N&sort=down` | a list of [`HostView`](crate::telemetry::HostView) |
//! | `GET /v1/hosts/IP` | [`HostExplained`](crate::telemetry::HostExplained) |
//! | `GET /v1/stats` | [`StatsView`](crate::telemetry::StatsView) |
//! | `GET /v1/stats/stream?every_seconds=N` | one such a line, without end; with `Accept: text/event-stream`, server-sent events |
//! | `GET /v1/events?follow=true&trace=bandwidth,packets,load,debug` | the last events, then those that come and reports of each second: [`Told`]s as lines or server-sent events |
//! | `POST /v1/detach` with a [`DetachRequest`] | [`Detached`] |
//!
//! A failure answers with a [`Refusal`](refusal::Refusal):
//!
//! | status | kind | when |
//! | --- | --- | --- |
//! | 400 | `usage` | path, query or body cannot be read: no JSON, an unknown key, a text of another form |
//! | 403 | `not_permitted` | the peer is neither root nor a member of group `throttle`, or the kernel refuses |
//! | 404 | `not_found` | there is no such path, limit, group, link or host |
//! | 405 | `usage` | the path does not have the method; `Allow` names those that it has |
//! | 408 | `failed` | the body comes too slowly |
//! | 409 | `conflict` | what is in force does not allow it: a group in use, a full table |
//! | 413 | `usage` | the body is too large |
//! | 415 | `usage` | the body is of another type than `application/json` |
//! | 422 | `usage` | it can be read, and makes no sense: a rate out of range, options that conflict |
//! | 500 | `failed` | what was asked for failed |
//! | 501 | `unsupported` | the kernel cannot do it |
//! | 503 | `busy`, `not_running` | there are too many connections, or the agent is about to exit |
//!
//! What is no HTTP at all, or has too long a head, is answered with a bare 400 or 431.

mod client;
mod gate;
mod messages;
mod openapi;
mod patient;
mod places;
pub mod refusal;
mod request;
mod routes;
mod server;
mod socket;
mod stream;
mod told;

pub use client::Client;
pub use messages::{
    ChangeName, DetachRequest, Detached, GroupDeleted, GroupSet, LimitDeleted, LimitQuery,
    LimitSet, LinkSet, LinkSummary, NetnsView, PolicyAnswer, PolicyApplied, PolicyQuery,
    StatusView, StreamQuery,
};
pub(crate) use routes::look_ups;
pub use server::serve;
pub use socket::{SocketFile, claim};
pub use told::{EventsQuery, Told};

#[cfg(test)]
mod tests;
