//! The throttler's agent: loads the eBPF program, writes limits into its maps and streams counters.
//!
//! [`datapath`] alone touches the kernel's maps. [`policy`] says what a limit is, [`config`] how a
//! file states it. [`agent`] is the long-running process, [`links`] the interfaces it attaches to,
//! `netlink` what the kernel tells of them, [`events`] what happened, [`control`] its socket and the
//! client for it, [`telemetry`] what it measures, [`trace`] what it reports each second. [`cli`] is
//! what can be typed, [`commands`] what that does, [`output`] how it is shown.

pub mod agent;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod datapath;
pub mod error;
pub mod events;
pub mod instance;
pub mod links;
mod netlink;
pub mod output;
pub mod policy;
pub mod telemetry;
pub mod trace;
