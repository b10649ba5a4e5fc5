//! The throttler's core: units, token bucket, packet parsing, verdicts and map layouts.
//!
//! The eBPF program and the agent compile this same code, and so do the tests on the host: nothing
//! in here needs a kernel helper, a file, a clock or a system call. Time, shared words and packet
//! bytes are parameters ([`bucket::Clock`], [`cell::AtomicWord`], [`packet::Bytes`]).

#![no_std]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    allow(internal_features, reason = "core's atomics do not exist for the BPF target")
)]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod address;
pub mod bucket;
pub mod cell;
pub mod host_table;
pub mod packet;
pub mod rate;
pub mod traffic_class;
#[cfg(not(target_arch = "bpf"))]
pub mod units;
pub mod verdict;
