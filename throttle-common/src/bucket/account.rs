//! The buckets of one level, and what one packet asks of them.

use super::{
    Advances, Kind, Load,
    advance::{self, Advance},
    charged, debt,
};
use crate::{
    abi::{Limit, LimitRates},
    cell::AtomicWord,
    rate::Rate,
};

/// The buckets of one level, and the limit that they are held to.
pub struct Account<'a, C> {
    /// The limit.
    pub limit: &'a Limit,
    /// Theoretical arrival time of the byte bucket.
    pub bytes_tat: &'a C,
    /// Theoretical arrival time of the packet bucket.
    pub packets_tat: &'a C,
    /// What this processor has of both in advance; a bucket that few packets cross does without.
    advances: Option<&'a Advances>,
}

/// The debts of both buckets of a level, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debts {
    /// That of the byte bucket.
    pub bytes: u64,
    /// That of the packet bucket.
    pub packets: u64,
}

impl Debts {
    /// The longer one.
    #[inline(always)]
    #[must_use]
    pub const fn longer(&self) -> u64 {
        if self.bytes > self.packets { self.bytes } else { self.packets }
    }

    /// Whether one is beyond the mark of its rate.
    #[inline(always)]
    #[must_use]
    pub const fn are_beyond_mark(&self, bytes: &Rate, packets: &Rate) -> bool {
        self.bytes > bytes.ce_ticks || self.packets > packets.ce_ticks
    }
}

impl<'a, C: AtomicWord> Account<'a, C> {
    /// Buckets that every packet is charged to one by one.
    #[inline(always)]
    pub const fn new(limit: &'a Limit, bytes_tat: &'a C, packets_tat: &'a C) -> Self {
        Self { limit, bytes_tat, packets_tat, advances: None }
    }

    /// The same buckets, charged in advance.
    ///
    /// The debts that [`charge`](Self::charge) finds are then those of packets that it had to look for.
    #[inline(always)]
    #[must_use]
    pub const fn in_advance(self, advances: &'a Advances) -> Self {
        Self { advances: Some(advances), ..self }
    }

    /// A number that differs from packet to packet; see [`Rate::cost`].
    #[inline(always)]
    pub fn phase(&self) -> u64 {
        let charged = self.bytes_tat.load() ^ self.packets_tat.load();
        self.advances.map_or(charged, |advances| charged ^ advances.phase())
    }

    #[inline(always)]
    fn rates(&self, load: Load) -> &'a LimitRates {
        &self.limit.rates[load.direction as usize]
    }

    /// The packet's request to the byte bucket.
    #[inline(always)]
    fn bytes(&self, load: Load) -> Ask<'a, C> {
        Ask {
            tat: self.bytes_tat,
            rate: &self.rates(load).bytes,
            advance: self.advances.map(|advances| &advances.bytes),
            units: load.wire.bytes,
            phase: load.phase,
        }
    }

    /// The packet's request to the packet bucket.
    #[inline(always)]
    fn packets(&self, load: Load) -> Ask<'a, C> {
        Ask {
            tat: self.packets_tat,
            rate: &self.rates(load).packets,
            advance: self.advances.map(|advances| &advances.packets),
            units: load.wire.units(self.limit.packet_unit_bytes),
            phase: load.phase,
        }
    }

    /// The kind of the first bucket without room, nothing being charged.
    #[inline(always)]
    pub(super) fn check(&self, now: u64, load: Load) -> Result<(), Kind> {
        if !self.bytes(load).conforms(now) {
            return Err(Kind::Bytes);
        }
        if !self.packets(load).conforms(now) {
            return Err(Kind::Packets);
        }
        Ok(())
    }

    /// Charges both buckets, or neither; notes the debts that it found.
    #[inline(always)]
    pub(super) fn charge(&self, now: u64, load: Load, debts: &mut Debts) -> Result<(), Kind> {
        let bytes = self.bytes(load);
        if !bytes.charge(now, &mut debts.bytes) {
            return Err(Kind::Bytes);
        }
        if !self.packets(load).charge(now, &mut debts.packets) {
            bytes.refund();
            return Err(Kind::Packets);
        }
        Ok(())
    }

    /// Takes the charges of both back.
    #[inline(always)]
    pub(super) fn refund(&self, load: Load) {
        self.bytes(load).refund();
        self.packets(load).refund();
    }
}

/// One packet's request to one bucket.
struct Ask<'a, C> {
    /// The bucket's theoretical arrival time, in ticks.
    tat: &'a C,
    /// What the bucket is held to; not limited means that it is neither checked nor charged.
    rate: &'a Rate,
    /// What this processor has of the bucket in advance.
    advance: Option<&'a Advance>,
    /// Bytes or packets.
    units: u32,
    /// Picks the rounding of the cost.
    phase: u64,
}

impl<C: AtomicWord> Ask<'_, C> {
    /// What the packet costs, in ticks.
    #[inline(always)]
    const fn cost(&self) -> u64 {
        self.rate.cost(self.units, self.phase)
    }

    /// Whether the packet conforms, nothing being charged.
    #[inline(always)]
    fn conforms(&self, now: u64) -> bool {
        !self.rate.is_limited()
            || self.advance.is_some_and(|advance| advance.has_room(now))
            || debt(self.tat.load(), now) <= self.rate.burst_ticks
    }

    /// Charges the packet if it still conforms, and notes the debt that it found.
    ///
    /// A packet that lost an exchange is checked against what it found, and then added. Whoever wins
    /// one leaves an arrival time that is not in the past, so the addition loses nothing; others may
    /// charge before it, each a packet at most.
    #[inline(always)]
    fn charge(&self, now: u64, debt: &mut u64) -> bool {
        if !self.rate.is_limited() {
            return true;
        }
        let cost = self.cost();
        if let Some(more) = self.advance.and_then(|advance| advance.spend(now, cost)) {
            if more != 0 {
                self.tat.add(more);
            }
            return true;
        }
        let tat = self.tat.load();
        *debt = super::debt(tat, now);
        if *debt > self.rate.burst_ticks {
            return false;
        }
        let charged_now = charged(tat, now, cost);
        let more = self.advance.map_or(0, |_| advance::size(self.rate, *debt, cost));
        if let Err(found) = self.tat.compare_exchange(tat, charged_now + more) {
            return self.charge_found(found, now, cost, debt);
        }
        if let Some(advance) = self.advance
            && more != 0
        {
            advance.take(charged_now, more);
        }
        true
    }

    /// Charges the packet that lost an exchange to what it `found`.
    #[inline(always)]
    fn charge_found(&self, found: u64, now: u64, cost: u64, debt: &mut u64) -> bool {
        *debt = super::debt(found, now);
        if *debt > self.rate.burst_ticks {
            return false;
        }
        // A word that is idle or a credit is no time in the future: what is added to it would be
        // lost, or pass as credit.
        if *debt != 0 || self.tat.compare_exchange(found, charged(found, now, cost)).is_err() {
            self.tat.add(cost);
        }
        true
    }

    /// Takes a charge back: from the bucket, also where it was charged in advance.
    #[inline(always)]
    fn refund(&self) {
        if self.rate.is_limited() {
            self.tat.add(self.cost().wrapping_neg());
        }
    }
}
