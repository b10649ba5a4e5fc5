//! The TC classifier: per-IP token buckets in BPF maps.
//!
//! [`path`] is the way of a packet on one screen; [`seen`] reads it, [`binding`] finds its limit,
//! [`charge`] charges it (and [`renew`]s buckets under another limit), [`treat`] does to it what its
//! limit's action says, [`excess`] notes one that found no room. [`tables`] holds the maps behind typed
//! accessors, [`skb`] and [`clock`] the kernel's side of the traits that `throttle_common` computes
//! with.

#![no_std]
#![no_main]

mod binding;
mod charge;
mod clock;
mod excess;
mod path;
mod renew;
mod seen;
mod skb;
mod tables;
mod treat;

use aya_ebpf::{macros::classifier, programs::TcContext};
use throttle_common::abi::Hook;

/// Runs on packets that come in.
#[classifier]
fn throttle_in(ctx: TcContext) -> i32 {
    path::run(&ctx, Hook::Ingress)
}

/// Runs on packets that go out.
#[classifier]
fn throttle_out(ctx: TcContext) -> i32 {
    path::run(&ctx, Hook::Egress)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // An endless loop, which the verifier refuses: a reachable panic cannot be loaded.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
