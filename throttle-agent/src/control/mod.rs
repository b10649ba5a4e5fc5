//! The control socket: HTTP and JSON between the agent and its command line.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/status` | [`StatusView`] |
//! | `GET /v1/limits` | a list of [`LimitView`](crate::policy::LimitView) |
//! | `GET /v1/limits/PREFIX` | [`LimitView`](crate::policy::LimitView) |
//! | `PUT /v1/limits/PREFIX` with a [`LimitRequest`](crate::policy::LimitRequest) | [`LimitSet`] |
//! | `DELETE /v1/limits/PREFIX` | [`LimitDeleted`] |
//! | `GET /v1/hosts?top=N&sort=down` | a list of [`HostView`](crate::telemetry::HostView) |
//! | `GET /v1/hosts/IP` | [`HostView`](crate::telemetry::HostView) |
//! | `GET /v1/stats` | [`StatsView`](crate::telemetry::StatsView) |
//! | `GET /v1/stats/stream?every_seconds=N` | one such a line, without end |
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

pub use client::Client;
pub use messages::{
    ChangeName, DetachRequest, Detached, LimitDeleted, LimitSet, LinkSummary, StatusView,
    StreamQuery,
};
pub use server::serve;
pub use socket::{SocketFile, claim};

#[cfg(test)]
mod tests;
