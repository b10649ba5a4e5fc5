//! Charges a packet to the buckets that its limit, its group and its link name.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use throttle_common::{
    abi::{Binding, Buckets, CommonBuckets, Direction, Host, Limit, seen_word},
    bucket::{self, Account, Clock, Excess, Levels, Load, Outcome, Refused},
    cell::{AtomicWord, Cell},
    packet::Wire,
    verdict::{Level, Reason, Verdict},
};

use crate::{
    binding::Novelty,
    clock::KernelClock,
    renew::{renew_common, renew_host},
    seen::Seen,
    tables::{advances, common, counters, hosts, limits},
    treat::treat,
};

/// Where a packet is charged.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The host's way, or the number of an overflow bucket for hosts that have none.
    pub(crate) number: u32,
    /// Whether the host has a way.
    pub(crate) has_way: bool,
    /// Whether the limit is new to the host.
    pub(crate) novelty: Novelty,
    /// Whether the packet can be delayed.
    pub(crate) can_pace: bool,
    /// Bank of the policy in force.
    pub(crate) bank: u32,
}

impl Place {
    const HAS_WAY: u32 = 32;
    const CAN_PACE: u32 = 33;
    const BANK: u32 = 34;
    const NOVELTY: u32 = 40;

    #[inline(always)]
    fn to_word(self) -> u64 {
        u64::from(self.number)
            | u64::from(self.has_way) << Self::HAS_WAY
            | u64::from(self.can_pace) << Self::CAN_PACE
            | u64::from(self.bank) << Self::BANK
            | (self.novelty as u64) << Self::NOVELTY
    }

    #[inline(always)]
    fn from_word(word: u64) -> Self {
        let bit = |at: u32| word >> at & 1 != 0;
        Self {
            number: word as u32,
            has_way: bit(Self::HAS_WAY),
            novelty: Novelty::from_number(word >> Self::NOVELTY),
            can_pace: bit(Self::CAN_PACE),
            bank: (word >> Self::BANK) as u32 & 1,
        }
    }
}

/// Charges the packet under the limit in a slot and to the link of a row, counts it, and treats it as
/// its limit's action says; returns the reason it passes or is refused for.
#[inline(always)]
pub(crate) fn charge(
    ctx: &TcContext,
    seen: &Seen,
    (slot, row): (u32, u32),
    place: Place,
) -> Reason {
    let limits = u64::from(slot) | u64::from(row) << 32;
    Reason::from_number(throttle_charge(ctx.skb.skb, seen, limits, place.to_word()))
}

/// [`charge`] as a global function; see [`Seen`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_charge(
    skb: *mut __sk_buff,
    seen: *const Seen,
    limits: u64,
    place: u64,
) -> u32 {
    // SAFETY: the verifier sees to it that a pointer which is not null is valid.
    let Some(seen) = (unsafe { seen.as_ref() }) else { return Reason::Internal as u32 };
    let (slot, row) = (limits as u32, (limits >> 32) as u32);
    let place = Place::from_word(place);
    // A limit is new to hosts that have a way alone.
    if place.novelty != Novelty::Known
        && let Some(host) = hosts::in_way(place.number)
    {
        renew_host(host, seen.direction(), place.novelty);
    }
    match admit(seen, slot, row, &place) {
        Some(verdict) => {
            treat(&TcContext::new(skb), seen.network_offset(), seen.version(), &verdict) as u32
        }
        None => Reason::Internal as u32,
    }
}

/// Charges a packet of a host that no limit holds to its link, given by its row; returns the reason it
/// passes or is refused for.
#[inline(always)]
pub(crate) fn charge_link(seen: &Seen, row: u32, bank: u32) -> Reason {
    Reason::from_number(throttle_charge_link(seen, row, bank))
}

/// [`charge_link`] as a global function; see [`Seen`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn throttle_charge_link(seen: *const Seen, row: u32, bank: u32) -> u32 {
    // SAFETY: the verifier sees to it that a pointer which is not null is valid.
    let Some(seen) = (unsafe { seen.as_ref() }) else { return Reason::Internal as u32 };
    link_alone(row, seen.direction(), bank, seen.wire()).unwrap_or(Reason::Internal) as u32
}

#[inline(always)]
fn link_alone(row: u32, direction: Direction, bank: u32, wire: Wire) -> Option<Reason> {
    let clock = KernelClock::read(0);
    let link = parent(row, direction, bank)?;
    let phase = link.phase();
    let outcome = bucket::admit_alone(&clock, &link, Load { direction, wire, phase });
    Some(match outcome.refused {
        Some(Refused::HostPackets) => Reason::LinkPackets,
        Some(_) => Reason::LinkBytes,
        None if outcome.excess.is_none() => Reason::NoLimit,
        None => Reason::Observed,
    })
}

/// Charges and counts the packet, and says what becomes of it.
///
/// `None` when a limit or buckets that a number names do not exist.
#[inline(always)]
fn admit(seen: &Seen, slot: u32, row: u32, place: &Place) -> Option<Verdict> {
    let (direction, wire) = (seen.direction(), seen.wire());
    let limit = limits::get(slot)?;
    // No way has no host. Nothing but the pointer says whether there is one: Linux 6.1 cannot follow that another
    // word says the same.
    let host = hosts::in_way(if place.has_way { place.number } else { hosts::NO_WAY });
    let clock = KernelClock::read(limit.zero);
    if let Some(host) = host {
        host.direction(direction).last_seen.store(seen_word(clock.coarse_ns()));
    }
    let (account, level) = leaf((limit, slot), direction, place, host, &clock)?;
    // The words of a host that is not limited itself stand still; the clock does not.
    let load = Load { direction, wire, phase: account.phase() ^ clock.coarse_ns() };
    let has_parents = limit.group | row != Limit::NO_ROW;
    let outcome = if has_parents {
        let group = parent(limit.group, direction, place.bank)?;
        let link = parent(row, direction, place.bank)?;
        bucket::admit(&clock, &Levels { host: account, group, link }, load)
    } else {
        bucket::admit_alone(&clock, &account, load)
    };
    let passed = outcome.refused.is_none() && !outcome.excess.is_of(Excess::HOST);
    if let Some(host) = host {
        counters::add_host(host.direction(direction), passed, wire);
    }
    counters::add_limit(limit.index, direction, passed, wire);
    if limit.group != Limit::NO_ROW {
        count_group(limit.group, direction, &outcome, wire);
    }
    Some(Verdict::of(limit, direction, level, &outcome, place.can_pace))
}

/// What another level refuses is not the group's.
#[inline(always)]
fn count_group(index: u32, direction: Direction, outcome: &Outcome, wire: Wire) {
    let is_excess = match outcome.refused {
        None => outcome.excess.is_of(Excess::GROUP),
        Some(Refused::GroupBytes | Refused::GroupPackets) => true,
        Some(
            Refused::HostBytes | Refused::HostPackets | Refused::LinkBytes | Refused::LinkPackets,
        ) => return,
    };
    counters::add_limit(index, direction, !is_excess, wire);
}

/// Picks the buckets: the prefix's own where it shares them, else the host's, else overflow buckets.
#[inline(always)]
fn leaf<'a>(
    (limit, slot): (&'a Limit, u32),
    direction: Direction,
    place: &Place,
    host: Option<&'a Host>,
    clock: &KernelClock,
) -> Option<(Account<'a, Cell>, Level)> {
    if limit.has(Limit::SHARED) {
        let common = common::shared(limit.index)?;
        return Some((common_account(limit, slot, common, direction, 1), Level::Shared));
    }
    let Some(host) = host else {
        let common = overflow(limit, slot, direction, place.number, clock)?;
        // Limits take turns here: each would grant again and again.
        return Some((common_account(limit, slot, common, direction, 0), Level::Overflow));
    };
    let bucket = |flag| &host.direction(own_or_up(limit, flag, direction)).buckets;
    let account = account(limit, bucket(Limit::TOTAL_BYTES), bucket(Limit::TOTAL_PACKETS));
    Some((account, Level::Host))
}

/// The buckets of a host that has no way: one of many, by the host's hash, or that of the limit where
/// another limit still has a debt there, which may last far longer than one of this limit.
#[inline(always)]
fn overflow(
    limit: &Limit,
    slot: u32,
    direction: Direction,
    number: u32,
    clock: &KernelClock,
) -> Option<&'static CommonBuckets> {
    let hashed = common::overflow(number)?;
    let own = hashed.direction(direction);
    let owner = Binding::from_word(own.buckets.binding.load());
    let owes = |tat: &Cell| bucket::debt(tat.load(), clock.coarse()) > 0;
    let is_taken =
        owner.slot != slot && (owes(&own.buckets.bytes_tat) || owes(&own.buckets.packets_tat));
    if is_taken { common::shared(limit.index) } else { Some(hashed) }
}

/// The account of a group or a link, given by its row; one without rates when it is not limited.
/// `None` when what the row names does not exist.
#[inline(always)]
fn parent<'a>(row: u32, direction: Direction, bank: u32) -> Option<Account<'a, Cell>> {
    let common = common::shared(row)?;
    let slot = common.direction(direction).slot(bank);
    let account = common_account(limits::get(slot)?, slot, common, direction, 0);
    Some(account.in_advance(advances::of(row, direction, slot)?))
}

/// An account with buckets that many hosts are charged to. They outlive the binding of each host:
/// the first packet under another limit clamps them.
#[inline(always)]
fn common_account<'a>(
    limit: &'a Limit,
    slot: u32,
    common: &'a CommonBuckets,
    direction: Direction,
    grants: u64,
) -> Account<'a, Cell> {
    renew_common(common, (limit, slot), direction, grants);
    let bucket = |flag| &common.direction(own_or_up(limit, flag, direction)).buckets;
    account(limit, bucket(Limit::TOTAL_BYTES), bucket(Limit::TOTAL_PACKETS))
}

/// The direction whose bucket is charged: `Up` for both where the limit has a total, by `flag`.
#[inline(always)]
fn own_or_up(limit: &Limit, flag: u32, direction: Direction) -> Direction {
    let has_no_total = !(limit.flags >> flag.trailing_zeros());
    Direction::from_parity(direction as u32 & has_no_total)
}

#[inline(always)]
fn account<'a>(limit: &'a Limit, bytes: &'a Buckets, packets: &'a Buckets) -> Account<'a, Cell> {
    Account::new(limit, &bytes.bytes_tat, &packets.packets_tat)
}
