//! One packet against the buckets of every level: checked read-only first, then charged from the
//! leaf to the root, all or nothing.

use super::{Ask, Clock, Kind};
use crate::{
    abi::{Direction, Limit, LimitRates},
    cell::AtomicWord,
    packet::Wire,
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
}

/// The accounts of every level that a packet crosses.
///
/// A level that is not limited has an account without rates: that is as fast as a branch around it,
/// and keeps the number of ways through the program small.
pub struct Levels<'a, C> {
    /// The host's own buckets, or those that stand in for them.
    pub host: Account<'a, C>,
    /// The group's.
    pub group: Account<'a, C>,
    /// The link's.
    pub link: Account<'a, C>,
}

/// What is to be charged.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Which way the packet goes.
    pub direction: Direction,
    /// Its size.
    pub wire: Wire,
    /// Picks the rounding of its costs; see [`Rate::cost`].
    pub phase: u64,
}

/// The levels that a packet passes as the excess of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excess(u32);

impl Excess {
    /// The host's level.
    pub const HOST: Self = Self(1);
    /// The group's level.
    pub const GROUP: Self = Self(2);
    /// The link's level.
    pub const LINK: Self = Self(4);

    /// Whether it is nobody's.
    #[inline(always)]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether it is that of `level`.
    #[inline(always)]
    #[must_use]
    pub const fn is_of(self, level: Self) -> bool {
        self.0 & level.0 != 0
    }

    #[inline(always)]
    const fn and(self, level: Self) -> Self {
        Self(self.0 | level.0)
    }
}

/// What became of a packet. Every field has a value in every case: the verifier refuses to move what
/// is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The first bucket that refused it; it is then charged to no bucket.
    pub refused: Option<Refused>,
    /// Levels that it passes as the excess of.
    pub excess: Excess,
    /// The debts that it found at the host's level.
    pub debts: Debts,
    /// The time by which it was charged, in ticks.
    pub now: u64,
}

impl Outcome {
    #[inline(always)]
    const fn refused(by: Refused) -> Self {
        let (excess, debts) = (Excess(0), Debts { bytes: 0, packets: 0 });
        Self { refused: Some(by), excess, debts, now: 0 }
    }
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

/// A bucket that had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The byte bucket of the host's level.
    HostBytes,
    /// The packet bucket of the host's level.
    HostPackets,
    /// The group's byte bucket.
    GroupBytes,
    /// The group's packet bucket.
    GroupPackets,
    /// The link's byte bucket.
    LinkBytes,
    /// The link's packet bucket.
    LinkPackets,
}

impl Refused {
    #[inline(always)]
    const fn host(kind: Kind) -> Self {
        match kind {
            Kind::Bytes => Self::HostBytes,
            Kind::Packets => Self::HostPackets,
        }
    }

    #[inline(always)]
    const fn group(kind: Kind) -> Self {
        match kind {
            Kind::Bytes => Self::GroupBytes,
            Kind::Packets => Self::GroupPackets,
        }
    }

    #[inline(always)]
    const fn link(kind: Kind) -> Self {
        match kind {
            Kind::Bytes => Self::LinkBytes,
            Kind::Packets => Self::LinkPackets,
        }
    }
}

/// Charges a packet to every level that has room, if those that refuse excess all have.
///
/// The coarse clock is asked first: what conforms by it conforms by the precise one, which only a
/// lack of room needs. An idle bucket charged by the coarse clock may get up to one timer period of
/// extra burst, once; the rate is not touched.
#[inline(always)]
pub fn admit<C: AtomicWord>(clock: &impl Clock, levels: &Levels<'_, C>, load: Load) -> Outcome {
    let (mut now, mut excess) = (clock.coarse(), Excess::default());
    if !levels.fits(now, load.direction) {
        now = clock.precise();
        match levels.examine(now, load.direction) {
            Ok(found) => excess = found,
            Err(by) => return Outcome::refused(by),
        }
    }
    levels.charge(now, load, excess)
}

/// As [`admit`], for a packet that crosses no level but the host's.
#[inline(always)]
pub fn admit_alone<C: AtomicWord>(
    clock: &impl Clock,
    host: &Account<'_, C>,
    load: Load,
) -> Outcome {
    let mut now = clock.coarse();
    if host.check(now, load.direction).is_err() {
        now = clock.precise();
        if let Err(kind) = host.check(now, load.direction) {
            return host.lacks_room(kind, now);
        }
    }
    let mut debts = Debts::default();
    match host.charge(now, load, &mut debts) {
        Ok(()) => Outcome { refused: None, excess: Excess::default(), debts, now },
        Err(kind) => host.lacks_room(kind, now),
    }
}

impl<C: AtomicWord> Levels<'_, C> {
    /// Whether every level has room.
    #[inline(always)]
    fn fits(&self, now: u64, direction: Direction) -> bool {
        self.host.check(now, direction).is_ok()
            && self.group.check(now, direction).is_ok()
            && self.link.check(now, direction).is_ok()
    }

    /// Looks which levels have no room.
    #[inline(always)]
    fn examine(&self, now: u64, direction: Direction) -> Result<Excess, Refused> {
        let mut excess = Excess::default();
        if let Err(kind) = self.host.check(now, direction) {
            if !self.host.limit.lets_excess_pass() {
                return Err(Refused::host(kind));
            }
            excess = excess.and(Excess::HOST);
        }
        if let Err(kind) = self.group.check(now, direction) {
            if !self.group.limit.lets_excess_pass() {
                return Err(Refused::group(kind));
            }
            excess = excess.and(Excess::GROUP);
        }
        if let Err(kind) = self.link.check(now, direction) {
            if !self.link.limit.lets_excess_pass() {
                return Err(Refused::link(kind));
            }
            excess = excess.and(Excess::LINK);
        }
        Ok(excess)
    }

    /// Charges every level that was found to have room. Where another processor took it meanwhile,
    /// what was charged before is refunded.
    #[inline(always)]
    fn charge(&self, now: u64, load: Load, mut excess: Excess) -> Outcome {
        let mut debts = Debts::default();
        if !excess.is_of(Excess::HOST)
            && let Err(kind) = self.host.charge(now, load, &mut debts)
        {
            if !self.host.limit.lets_excess_pass() {
                return Outcome::refused(Refused::host(kind));
            }
            excess = excess.and(Excess::HOST);
        }
        if !excess.is_of(Excess::GROUP)
            && let Err(kind) = self.group.charge(now, load, &mut Debts::default())
        {
            if !self.group.limit.lets_excess_pass() {
                self.refund_host(load, excess);
                return Outcome::refused(Refused::group(kind));
            }
            excess = excess.and(Excess::GROUP);
        }
        if !excess.is_of(Excess::LINK)
            && let Err(kind) = self.link.charge(now, load, &mut Debts::default())
        {
            if !self.link.limit.lets_excess_pass() {
                self.refund_group(load, excess);
                self.refund_host(load, excess);
                return Outcome::refused(Refused::link(kind));
            }
            excess = excess.and(Excess::LINK);
        }
        Outcome { refused: None, excess, debts, now }
    }

    #[inline(always)]
    fn refund_host(&self, load: Load, excess: Excess) {
        if !excess.is_of(Excess::HOST) {
            self.host.refund(load);
        }
    }

    #[inline(always)]
    fn refund_group(&self, load: Load, excess: Excess) {
        if !excess.is_of(Excess::GROUP) {
            self.group.refund(load);
        }
    }
}

impl<C: AtomicWord> Account<'_, C> {
    #[inline(always)]
    fn rates(&self, direction: Direction) -> &LimitRates {
        &self.limit.rates[direction as usize]
    }

    /// The packet's request to the byte bucket.
    #[inline(always)]
    fn bytes(&self, load: Load) -> Ask<'_, C> {
        let rate = &self.rates(load.direction).bytes;
        Ask { tat: self.bytes_tat, rate, cost: rate.cost(load.wire.bytes, load.phase) }
    }

    /// The packet's request to the packet bucket.
    #[inline(always)]
    fn packets(&self, load: Load) -> Ask<'_, C> {
        let rate = &self.rates(load.direction).packets;
        let units = load.wire.units(self.limit.packet_unit_bytes);
        Ask { tat: self.packets_tat, rate, cost: rate.cost(units, load.phase) }
    }

    /// What becomes of a packet that this level, being the only one, has no room for.
    #[inline(always)]
    fn lacks_room(&self, kind: Kind, now: u64) -> Outcome {
        if !self.limit.lets_excess_pass() {
            return Outcome::refused(Refused::host(kind));
        }
        Outcome { refused: None, excess: Excess::HOST, debts: Debts::default(), now }
    }

    /// The kind of the first bucket without room, nothing being charged.
    #[inline(always)]
    fn check(&self, now: u64, direction: Direction) -> Result<(), Kind> {
        let LimitRates { bytes, packets } = self.rates(direction);
        if !super::conforms(self.bytes_tat, bytes, now) {
            return Err(Kind::Bytes);
        }
        if !super::conforms(self.packets_tat, packets, now) {
            return Err(Kind::Packets);
        }
        Ok(())
    }

    /// Charges both buckets, or neither; notes the debts that it found.
    #[inline(always)]
    fn charge(&self, now: u64, load: Load, debts: &mut Debts) -> Result<(), Kind> {
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

    #[inline(always)]
    fn refund(&self, load: Load) {
        self.bytes(load).refund();
        self.packets(load).refund();
    }
}
