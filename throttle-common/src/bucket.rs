//! The bucket: a continuous leaky bucket kept as one word, the theoretical arrival time (GCRA, as in
//! ITU-T I.371 and ATM Forum TM 4.0, with the test before the charge).
//!
//! The word is the time at which the bucket has drained. What lies between now and then is the debt;
//! a packet conforms while the debt is at most the burst, and is then charged in full. A packet
//! larger than the room left passes too and its debt is paid back, so the rate stays exact and the
//! overshoot is at most one packet.
//!
//! A word below zero, as a signed number, is a credit: what is left of a burst that is granted once.
//! It is used up before the bucket starts to count.

mod account;
mod advance;
mod levels;

pub use account::{Account, Debts};
pub use advance::{ADVANCES, Advances, advance_index};
pub use levels::{Excess, Levels, Load, Outcome, Refused, admit, admit_alone};

use crate::{cell::AtomicWord, rate::Rate};

/// Reads the time, in ticks of one monotonic clock.
pub trait Clock {
    /// The same number, of which the kernel's verifier no longer knows how it came about: it then follows
    /// one path for all numbers, rather than one for each.
    #[inline(always)]
    fn forget(&self, number: u64) -> u64 {
        number
    }

    /// The time at the last timer interrupt: cheap, and never ahead of [`precise`](Self::precise).
    fn coarse(&self) -> u64;

    /// The time now.
    fn precise(&self) -> u64;
}

/// Bytes or packets: what a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Layer-3 bytes.
    Bytes,
    /// Wire packets.
    Packets,
}

/// The arrival time after a charge: credit is used first, what it does not cover becomes debt.
#[inline(always)]
const fn charged(tat: u64, now: u64, cost: u64) -> u64 {
    if is_credit(tat) {
        let left = tat.wrapping_add(cost);
        return if is_credit(left) { left } else { now + left };
    }
    now + debt(tat, now) + cost
}

/// Cuts the debt to the burst of a limit that has just replaced another.
///
/// Nobody gets a fresh burst, and nobody waits for a debt that the new burst would not have allowed.
#[inline(always)]
pub fn clamp<C: AtomicWord>(tat: &C, now: u64, burst_ticks: u64) {
    let found = tat.load();
    if debt(found, now) > burst_ticks {
        // A lost race means that another processor has charged or clamped it: its word stands.
        let _ = tat.compare_exchange(found, now + burst_ticks);
    }
}

/// Grants a credit of `ticks`, at most [`MAX_BURST_TICKS`](crate::rate::MAX_BURST_TICKS), once: it
/// pays the debt first, and takes the place of a credit that is left.
#[inline(always)]
pub fn grant<C: AtomicWord>(tat: &C, now: u64, ticks: u64) {
    let granted = |found: u64| {
        let debt = debt(found, now);
        if ticks > debt { (ticks - debt).wrapping_neg() } else { found.wrapping_sub(ticks) }
    };
    let found = tat.load();
    // Another processor may charge it at the same time, hardly twice.
    if let Err(found) = tat.compare_exchange(found, granted(found)) {
        let _ = tat.compare_exchange(found, granted(found));
    }
}

/// Time until the bucket has drained, in ticks; 0 while there is credit.
#[inline(always)]
#[must_use]
pub const fn debt(tat: u64, now: u64) -> u64 {
    let ahead = tat.wrapping_sub(now);
    if is_credit(tat) || is_credit(ahead) { 0 } else { ahead }
}

/// Credit that is left, in ticks.
#[inline(always)]
#[must_use]
pub const fn credit(tat: u64) -> u64 {
    if is_credit(tat) { tat.wrapping_neg() } else { 0 }
}

/// Whether a word, or a difference of two times, is below zero. Times stay below 2^63 ticks for 18
/// years of uptime.
#[inline(always)]
const fn is_credit(word: u64) -> bool {
    (word as i64) < 0
}

/// Time until the next packet conforms, in ticks.
#[must_use]
pub const fn wait(tat: u64, now: u64, rate: &Rate) -> u64 {
    if rate.is_limited() { debt(tat, now).saturating_sub(rate.burst_ticks) } else { 0 }
}

#[cfg(test)]
mod tests;
