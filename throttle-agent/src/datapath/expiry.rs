//! Which hosts leave the table, and when.
//!
//! The table is searched without the agent's lock. What is found is removed under it, a batch at a time,
//! if it still may go then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use throttle_common::{abi::Direction, bucket, host_table::WAYS, rate::TICKS_PER_NS};

use super::{
    Datapath, clock, host_reader::HostReader, hosts::HostSnapshot, limits::LimitTable,
    prefix::host_prefix, state::HostSource,
};
use crate::error::Result;

/// Hosts that are removed, and things that are put away, under one lock.
const BATCH: usize = 1024;

/// Sets are looked through for lost ways in turns: one in so many in each search.
const TURNS: u32 = 8;

/// Ways of hosts that were found to be idle.
#[derive(Debug, Clone)]
pub struct IdleHosts {
    ways: Vec<u32>,
    idle_ns: u64,
}

/// A search of the whole host table for hosts that may go.
pub struct IdleSearch {
    reader: Arc<HostReader>,
    kept_slots: Arc<[AtomicBool]>,
    generation: u32,
    now_ns: u64,
    idle_ns: u64,
    turn: u32,
    next: u32,
}

impl Iterator for IdleSearch {
    type Item = IdleHosts;

    fn next(&mut self) -> Option<IdleHosts> {
        let mut ways = Vec::new();
        while ways.len() < BATCH && self.next < self.reader.ways() {
            ways.extend(
                self.reader.host(self.next).filter(|host| self.may_go(host)).map(|_| self.next),
            );
            self.next += 1;
        }
        (!ways.is_empty()).then_some(IdleHosts { ways, idle_ns: self.idle_ns })
    }
}

impl IdleSearch {
    fn may_go(&self, host: &HostSnapshot) -> bool {
        let is_lost =
            || host.place.way / WAYS % TURNS == self.turn && self.reader.is_lost(host.place);
        is_idle(host, self.now_ns, self.idle_ns) && !self.is_kept(host) || is_lost()
    }

    /// Whether the limit that a host is bound to keeps it; `false` where others may hold it by now.
    fn is_kept(&self, host: &HostSnapshot) -> bool {
        let slot = host.binding(self.generation).and_then(|binding| binding.slot());
        let kept = slot.and_then(|slot| self.kept_slots.get(slot as usize));
        kept.is_some_and(|kept| kept.load(Ordering::Relaxed))
    }
}

impl Datapath {
    /// Removes hosts that traffic has made and that have been idle for `idle`, so that others find
    /// room; returns how many. The fuller the table, the sooner they go.
    ///
    /// Hosts with a limit of their own stay, and so do hosts that still owe and those whose limit
    /// grants a burst once: coming back must not earn it again.
    ///
    /// # Errors
    /// The clock cannot be read, or the kernel refuses.
    pub fn expire_hosts(&mut self, idle: Duration) -> Result<usize> {
        while !self.tidy()? {}
        let mut removed = 0;
        for found in self.idle_hosts(idle)? {
            removed += self.forget_hosts(&found)?;
        }
        Ok(removed)
    }

    /// Begins a search for hosts to [forget](Self::forget_hosts), which goes on beside the datapath.
    ///
    /// # Errors
    /// The clock cannot be read.
    pub fn idle_hosts(&mut self, idle: Duration) -> Result<IdleSearch> {
        let idle = self.hosts.patience(idle);
        self.turn = (self.turn + 1) % TURNS;
        Ok(IdleSearch {
            reader: Arc::clone(self.hosts.reader()),
            kept_slots: self.limits.kept_slots(),
            generation: self.config.policy().generation,
            now_ns: clock::monotonic_ns()?,
            idle_ns: u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX),
            turn: self.turn,
            next: 0,
        })
    }

    /// Removes those of the hosts found that may still go; returns how many.
    ///
    /// # Errors
    /// The clock cannot be read.
    pub fn forget_hosts(&mut self, found: &IdleHosts) -> Result<usize> {
        let now_ns = clock::monotonic_ns()?;
        let (limits, bits) = (&self.limits, self.config.ipv6_host_prefix());
        Ok(self.hosts.remove(&found.ways, |reader, host| {
            is_idle(host, now_ns, found.idle_ns) && !is_kept(limits, host, bits)
                || reader.is_lost(host.place)
        }))
    }

    /// Does a part of what had to wait until no packet could see it; `true` when nothing is left.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn tidy(&mut self) -> Result<bool> {
        let are_free = self.hosts.free_rested(BATCH);
        self.forget_rows_of_unlimited_links()?;
        Ok(self.limits.clean(BATCH)? && are_free)
    }
}

/// Whether a host has been idle for so long and owes nothing.
fn is_idle(host: &HostSnapshot, now_ns: u64, idle_ns: u64) -> bool {
    // One that never sent was made for a limit of its own, or is a moment old.
    let is_idle = host.idle_ns(now_ns).is_none_or(|since_ns| since_ns >= idle_ns);
    let owes = |tat| bucket::debt(tat, now_ns * TICKS_PER_NS) > 0;
    is_idle
        && Direction::ALL.iter().all(|direction| {
            let own = host.direction(*direction);
            !owes(own.bytes_tat) && !owes(own.packets_tat)
        })
}

/// Whether a host stays however long it is idle.
fn is_kept(limits: &LimitTable, host: &HostSnapshot, ipv6_bits: u8) -> bool {
    let prefix = host_prefix(host.address, ipv6_bits).ok();
    let held = prefix.and_then(|prefix| limits.longest(prefix));
    held.is_some_and(|held| limits.keeps_hosts(&held.stated))
}
