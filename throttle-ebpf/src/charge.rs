//! Charges a packet to the buckets that its limit names.

use throttle_common::{
    abi::{Binding, Buckets, Direction, Host, Limit},
    address::Address,
    bucket::{self, Ask, Clock},
    cell::{AtomicWord, Cell},
    packet::Wire,
    verdict::{Level, Reason},
};

use crate::{
    clock::KernelClock,
    tables::{common, counters},
};

/// One packet and what it is charged to.
pub(crate) struct Charge<'a> {
    /// The limit.
    pub(crate) limit: &'a Limit,
    /// The limit's slot.
    pub(crate) slot: u32,
    /// The host, or `None` when the host table has no room for it.
    pub(crate) host: Option<&'a Host>,
    /// The host's address.
    pub(crate) address: Address,
    /// Which way the packet goes.
    pub(crate) direction: Direction,
    /// Whether the limit has just replaced another one of this host.
    pub(crate) changed: bool,
    /// The packet's size.
    pub(crate) wire: Wire,
}

/// The buckets a packet is charged to.
struct Account<'a> {
    bytes_tat: &'a Cell,
    packets_tat: &'a Cell,
    level: Level,
    changed: bool,
    /// Picks the rounding of the packet's cost; see `Rate::cost`.
    phase: u64,
}

/// Charges the packet, counts it, and says why it passes or is refused.
///
/// `None` when the common buckets that the limit names do not exist.
#[inline(always)]
pub(crate) fn charge(charge: &Charge<'_>) -> Option<Reason> {
    let Charge { limit, direction, wire, .. } = *charge;
    let account = account(charge)?;
    let clock = KernelClock::read();
    let rates = &limit.rates[direction as usize];
    if account.changed {
        let now = clock.precise();
        bucket::clamp(account.bytes_tat, now, rates.bytes.burst_ticks);
        bucket::clamp(account.packets_tat, now, rates.packets.burst_ticks);
    }
    let bytes_cost = rates.bytes.cost(wire.bytes, account.phase);
    let packets_cost = rates.packets.cost(wire.packets, account.phase);
    let outcome = bucket::admit(
        &clock,
        &Ask { tat: account.bytes_tat, rate: &rates.bytes, cost: bytes_cost },
        &Ask { tat: account.packets_tat, rate: &rates.packets, cost: packets_cost },
    );
    if let Some(host) = charge.host {
        counters::add_host(host.direction(direction), outcome.is_ok(), wire, clock.coarse_ns());
    }
    counters::add_limit(limit.index, direction, outcome.is_ok(), wire);
    Some(account.level.reason(outcome))
}

/// Picks the buckets: the prefix's own where it shares them, else the host's, else overflow buckets.
#[inline(always)]
fn account<'a>(charge: &Charge<'a>) -> Option<Account<'a>> {
    let Charge { limit, slot, direction, .. } = *charge;
    if limit.has(Limit::SHARED) {
        let shared = common::shared(limit.index)?;
        let own = shared.direction(direction);
        let account = pick(limit, &shared.up.buckets, &own.buckets, Level::Shared);
        // The bucket outlives the binding of each host: only the first packet under another limit
        // clamps it.
        let changed = Binding::from_word(own.binding.load()).slot != slot;
        if changed {
            own.binding.store(Binding::new(0, Some(slot)).to_word());
        }
        return Some(Account { changed, ..account });
    }
    if let Some(host) = charge.host {
        let own = host.direction(direction);
        let account = pick(limit, &host.up.buckets, &own.buckets, Level::Host);
        let phase = own.passed_packets.load();
        return Some(Account { changed: charge.changed, phase, ..account });
    }
    let overflow = common::overflow(&charge.address, slot)?;
    let own = overflow.direction(direction);
    Some(pick(limit, &overflow.up.buckets, &own.buckets, Level::Overflow))
}

/// Picks one bucket of each kind: that of `up` where a limit holds both directions together.
#[inline(always)]
fn pick<'a>(limit: &Limit, up: &'a Buckets, own: &'a Buckets, level: Level) -> Account<'a> {
    let bytes = if limit.has(Limit::TOTAL_BYTES) { up } else { own };
    let packets = if limit.has(Limit::TOTAL_PACKETS) { up } else { own };
    Account {
        bytes_tat: &bytes.bytes_tat,
        packets_tat: &packets.packets_tat,
        level,
        changed: false,
        phase: bytes.bytes_tat.load(),
    }
}
