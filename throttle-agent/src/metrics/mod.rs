//! Metrics for Prometheus and a web page, over TCP and for reading only.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /metrics` | all metrics, as OpenMetrics text or in the older text format |
//! | `GET /` | the web page, which asks for `/page.css`, `/page.js` and the rest |
//! | `GET /api/live` | what the page shows, of the newest sample |
//! | `GET /api/hosts/IP`, `GET /api/limits/PREFIX` | as on the control socket |
//!
//! Metrics and page are made of samples: however many ask, the datapath is asked once a second at
//! most. Looking up one host or limit takes a turn with it, which comes seldom enough.

mod address;
mod exposition;
mod latest;
mod live;
mod pace;
mod page;
mod peer_names;
mod routes;
mod server;

pub use address::MetricsAddress;
pub use server::serve;

/// Hosts that have metrics of their own unless told otherwise.
pub const TOP_HOSTS: u32 = 20;

/// The most hosts that can have metrics of their own.
pub const MOST_TOP_HOSTS: u32 = 1000;

#[cfg(test)]
mod tests;
