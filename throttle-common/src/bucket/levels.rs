//! One packet against the buckets of every level: checked read-only first, then charged from the
//! leaf to the root, all or nothing.

use super::{Account, Clock, Debts, Kind};
use crate::{abi::Direction, cell::AtomicWord, packet::Wire};

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

    #[inline(always)]
    fn forgotten(self, clock: &impl Clock) -> Self {
        Self(clock.forget(self.0.into()) as u32)
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

    #[inline(always)]
    fn forgotten(self, clock: &impl Clock) -> Self {
        let number = self.refused.map_or(0, |by| by as u64);
        let refused = Refused::from_number(clock.forget(number));
        let debts = Debts {
            bytes: clock.forget(self.debts.bytes),
            packets: clock.forget(self.debts.packets),
        };
        Self { refused, excess: self.excess.forgotten(clock), debts, ..self }
    }
}

/// A bucket that had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Refused {
    /// The byte bucket of the host's level.
    HostBytes = 1,
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
    /// The bucket of a number; `None` for 0.
    #[inline(always)]
    const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::HostBytes,
            2 => Self::HostPackets,
            3 => Self::GroupBytes,
            4 => Self::GroupPackets,
            5 => Self::LinkBytes,
            6 => Self::LinkPackets,
            _ => return None,
        })
    }

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
    if !levels.fits(now, load) {
        now = clock.precise();
        match levels.examine(now, load) {
            Ok(found) => excess = found,
            Err(by) => return Outcome::refused(by),
        }
    }
    levels.charge(clock, now, load, excess).forgotten(clock)
}

/// As [`admit`], for a packet that crosses no level but the host's.
#[inline(always)]
pub fn admit_alone<C: AtomicWord>(
    clock: &impl Clock,
    host: &Account<'_, C>,
    load: Load,
) -> Outcome {
    let mut now = clock.coarse();
    if host.check(now, load).is_err() {
        now = clock.precise();
        if let Err(kind) = host.check(now, load) {
            return lacks_room(host, kind, now);
        }
    }
    let mut debts = Debts::default();
    let outcome = match host.charge(now, load, &mut debts) {
        Ok(()) => Outcome { refused: None, excess: Excess::default(), debts, now },
        Err(kind) => lacks_room(host, kind, now),
    };
    outcome.forgotten(clock)
}

impl<C: AtomicWord> Levels<'_, C> {
    /// Whether every level has room.
    #[inline(always)]
    fn fits(&self, now: u64, load: Load) -> bool {
        self.host.check(now, load).is_ok()
            && self.group.check(now, load).is_ok()
            && self.link.check(now, load).is_ok()
    }

    /// Looks which levels have no room.
    #[inline(always)]
    fn examine(&self, now: u64, load: Load) -> Result<Excess, Refused> {
        let mut excess = Excess::default();
        if let Err(kind) = self.host.check(now, load) {
            if !self.host.limit.lets_excess_pass() {
                return Err(Refused::host(kind));
            }
            excess = excess.and(Excess::HOST);
        }
        if let Err(kind) = self.group.check(now, load) {
            if !self.group.limit.lets_excess_pass() {
                return Err(Refused::group(kind));
            }
            excess = excess.and(Excess::GROUP);
        }
        if let Err(kind) = self.link.check(now, load) {
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
    fn charge(&self, clock: &impl Clock, now: u64, load: Load, found: Excess) -> Outcome {
        let (mut debts, mut unread) = (Debts::default(), Debts::default());
        let mut excess = found.forgotten(clock);
        match charge_level(&self.host, Excess::HOST, now, load, excess, &mut debts) {
            Ok(now_excess) => excess = now_excess.forgotten(clock),
            Err(kind) => return Outcome::refused(Refused::host(kind)),
        }
        match charge_level(&self.group, Excess::GROUP, now, load, excess, &mut unread) {
            Ok(now_excess) => excess = now_excess.forgotten(clock),
            Err(kind) => {
                self.refund_host(load, excess);
                return Outcome::refused(Refused::group(kind));
            }
        }
        match charge_level(&self.link, Excess::LINK, now, load, excess, &mut unread) {
            Ok(now_excess) => excess = now_excess,
            Err(kind) => {
                self.refund_group(load, excess);
                self.refund_host(load, excess);
                return Outcome::refused(Refused::link(kind));
            }
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

/// Charges a level that was found to have room, and says whose excess the packet now is.
#[inline(always)]
fn charge_level<C: AtomicWord>(
    level: &Account<'_, C>,
    is: Excess,
    now: u64,
    load: Load,
    excess: Excess,
    debts: &mut Debts,
) -> Result<Excess, Kind> {
    if excess.is_of(is) {
        return Ok(excess);
    }
    match level.charge(now, load, debts) {
        Ok(()) => Ok(excess),
        Err(_) if level.limit.lets_excess_pass() => Ok(excess.and(is)),
        Err(kind) => Err(kind),
    }
}

/// What becomes of a packet that the only level it crosses has no room for.
#[inline(always)]
fn lacks_room<C: AtomicWord>(level: &Account<'_, C>, kind: Kind, now: u64) -> Outcome {
    if !level.limit.lets_excess_pass() {
        return Outcome::refused(Refused::host(kind));
    }
    Outcome { refused: None, excess: Excess::HOST, debts: Debts::default(), now }
}
