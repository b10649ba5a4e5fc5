//! The maps, each private to the module that owns it.
//!
//! Their layouts and who writes them are in `throttle_common::abi`. All but the log buffer, the
//! advances and the events are pinned by the agent. Capacities marked so are set by the agent when it creates the map.

pub(crate) mod advances;
pub(crate) mod common;
pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod events;
pub(crate) mod hosts;
pub(crate) mod limits;
pub(crate) mod links;
