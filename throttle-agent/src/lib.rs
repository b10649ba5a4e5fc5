//! The throttler's agent: loads the eBPF program, writes limits into its maps and streams counters.
//!
//! [`datapath`] alone touches the kernel's maps. The other rooms, and what each may know, are in
//! ARCHITECTURE.md.

pub mod agent;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod datapath;
pub mod error;
pub mod events;
mod fault;
pub mod instance;
pub mod links;
pub mod metrics;
mod netlink;
pub mod output;
pub mod policy;
pub mod saved;
pub mod telemetry;
pub mod top;
pub mod trace;
