//! The bucket: a continuous leaky bucket kept as one word, the theoretical arrival time (GCRA, as in
//! ITU-T I.371 and ATM Forum TM 4.0, with the test before the charge).
//!
//! The word is the time at which the bucket has drained. What lies between now and then is the debt;
//! a packet conforms while the debt is at most the burst, and is then charged in full. A packet
//! larger than the room left passes too and its debt is paid back, so the rate stays exact and the
//! overshoot is at most one packet.

use crate::{cell::AtomicWord, rate::Rate};

/// Reads the time, in ticks of one monotonic clock.
pub trait Clock {
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

/// One packet's request to one bucket.
pub struct Ask<'a, C> {
    /// The bucket's theoretical arrival time, in ticks.
    pub tat: &'a C,
    /// What the bucket is held to; not limited means that it is neither checked nor charged.
    pub rate: &'a Rate,
    /// What the packet costs, in ticks.
    pub cost: u64,
}

/// Failed exchanges after which a charge is added without a further check.
const TRIES: usize = 4;

impl<C: AtomicWord> Ask<'_, C> {
    /// Whether a packet conforms at `now`, nothing being charged.
    #[inline(always)]
    fn conforms(&self, now: u64) -> bool {
        !self.rate.is_limited() || debt(self.tat.load(), now) <= self.rate.burst_ticks
    }

    /// Charges the packet if it still conforms.
    ///
    /// Whoever wins an exchange leaves an arrival time that is not in the past, so the addition that
    /// ends a lost race loses nothing.
    #[inline(always)]
    fn charge(&self, now: u64) -> bool {
        if !self.rate.is_limited() {
            return true;
        }
        let mut tat = self.tat.load();
        for _ in 0..TRIES {
            let debt = debt(tat, now);
            if debt > self.rate.burst_ticks {
                return false;
            }
            match self.tat.compare_exchange(tat, now + debt + self.cost) {
                Ok(()) => return true,
                Err(found) => tat = found,
            }
        }
        self.tat.add(self.cost);
        true
    }

    /// Takes a charge back.
    #[inline(always)]
    fn refund(&self) {
        if self.rate.is_limited() {
            self.tat.add(self.cost.wrapping_neg());
        }
    }
}

/// Charges both buckets, or neither.
///
/// The coarse clock is asked first: what conforms by it conforms by the precise one, which only a
/// refusal needs. An idle bucket charged by the coarse clock may get up to one timer period of extra
/// burst, once; the rate is not touched.
///
/// # Errors
///
/// The kind of the first bucket without room.
#[inline(always)]
pub fn admit<C: AtomicWord>(
    clock: &impl Clock,
    bytes: &Ask<'_, C>,
    packets: &Ask<'_, C>,
) -> Result<(), Kind> {
    match admit_at(clock.coarse(), bytes, packets) {
        Ok(()) => Ok(()),
        Err(_) => admit_at(clock.precise(), bytes, packets),
    }
}

/// Checks both buckets read-only, then charges both; a charge is refunded when another processor
/// took the room of the second bucket meanwhile.
#[inline(always)]
fn admit_at<C: AtomicWord>(now: u64, bytes: &Ask<'_, C>, packets: &Ask<'_, C>) -> Result<(), Kind> {
    if !bytes.conforms(now) {
        return Err(Kind::Bytes);
    }
    if !packets.conforms(now) {
        return Err(Kind::Packets);
    }
    if !bytes.charge(now) {
        return Err(Kind::Bytes);
    }
    if !packets.charge(now) {
        bytes.refund();
        return Err(Kind::Packets);
    }
    Ok(())
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

/// Time until the bucket has drained, in ticks.
#[inline(always)]
#[must_use]
pub const fn debt(tat: u64, now: u64) -> u64 {
    tat.saturating_sub(now)
}

/// Time until the next packet conforms, in ticks.
#[must_use]
pub const fn wait(tat: u64, now: u64, rate: &Rate) -> u64 {
    if rate.is_limited() { debt(tat, now).saturating_sub(rate.burst_ticks) } else { 0 }
}

#[cfg(test)]
mod tests;
