//! Reads links, hosts and counters out of the maps.

use std::{net::IpAddr, sync::Arc};

use throttle_common::{
    abi::{Direction, LimitRates},
    bucket,
    rate::{Rate, TICKS_PER_NS},
};

use super::{
    Datapath,
    clock::monotonic_ns,
    host_reader::HostReader,
    hosts::HostSnapshot,
    limit_use::Uses,
    limits::Entry,
    state::{
        Counters, GroupCounters, HostSource, HostState, LastExcess, LimitCounters, LinkCounters,
        LinkReport, LinkStatus, Usage,
    },
};
use crate::{
    error::Result,
    policy::{Limit, Rates, Scope},
};

impl Datapath {
    /// Every link.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        let paces = self.limits.paces();
        self.links.iter().map(|link| self.links.status(link, paces)).collect()
    }

    /// Every link, and what is attached to its interface.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn link_reports(&self) -> Result<Vec<LinkReport>> {
        let paces = self.limits.paces();
        self.links.iter().map(|link| self.links.report(link, paces)).collect()
    }

    /// Reads every counter that is not per host.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn counters(&self) -> Result<Counters> {
        self.counter_reader()?()
    }

    /// Reads the counters of links, and notes what else there is to read: that goes on beside the
    /// datapath.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn counter_reader(&self) -> Result<impl FnOnce() -> Result<Counters> + Send + use<>> {
        let now_ns = monotonic_ns()?;
        let both = Direction::ALL;
        let limits: Vec<_> = self
            .limits
            .iter()
            .map(|entry| {
                let limit = &entry.stated;
                let waits = match limit.scope {
                    Scope::Each => [0; 2],
                    Scope::Shared => {
                        both.map(|way| self.common_wait_ns(entry, limit.total, way, now_ns))
                    }
                };
                (limit.prefix, limit.matches, entry.index, waits)
            })
            .collect();
        let groups: Vec<_> = self
            .limits
            .groups()
            .map(|entry| {
                let group = &entry.stated;
                let waits = both.map(|way| self.common_wait_ns(entry, group.total, way, now_ns));
                (group.name.clone(), entry.index, waits)
            })
            .collect();
        let links = self.link_counters()?;
        let generation = self.config.policy().generation;
        let (hosts, limit_use) = (Arc::clone(self.hosts.reader()), self.counters.limit_use());
        Ok(move || {
            let of_limits = limits.iter().map(|&(_, _, index, _)| index);
            let indices: Vec<_> =
                of_limits.chain(groups.iter().map(|&(_, index, _)| index)).collect();
            let uses = limit_use.read(&indices)?;
            let (of_limits, of_groups) = uses.split_at(limits.len());
            let limits = limits.into_iter().zip(of_limits);
            let groups = groups.into_iter().zip(of_groups);
            Ok(Counters {
                links,
                limits: limits
                    .map(|((prefix, matches, _, waits), uses)| {
                        let [up, down] = usages(*uses, waits);
                        LimitCounters { prefix, matches, up, down }
                    })
                    .collect(),
                groups: groups
                    .map(|((name, _, waits), uses)| {
                        let [up, down] = usages(*uses, waits);
                        GroupCounters { name, up, down }
                    })
                    .collect(),
                hosts_tracked: hosts.tracked() as u64,
                hosts_capacity: hosts.ways().into(),
                generation,
            })
        })
    }

    fn link_counters(&self) -> Result<Vec<LinkCounters>> {
        let paces = self.limits.paces();
        let read = |link| {
            Ok(LinkCounters {
                link: self.links.status(link, paces),
                up: self.counters.reasons(link.index, Direction::Up)?,
                down: self.counters.reasons(link.index, Direction::Down)?,
            })
        };
        self.links.iter().map(read).collect()
    }

    /// The host that an address belongs to; `None` when it is not in the table.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn host(&self, address: IpAddr) -> Result<Option<HostState>> {
        let now_ns = monotonic_ns()?;
        let host = self.hosts.get(address);
        host.map(|host| self.host_state(&host, now_ns)).transpose()
    }

    /// Every host of the table.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn hosts(&self) -> Result<Vec<HostState>> {
        let now_ns = monotonic_ns()?;
        self.hosts.reader().iter().map(|host| self.host_state(&host, now_ns)).collect()
    }

    /// The hosts in these ways, in their order; a way without a host is left out.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn hosts_in(&self, ways: &[u32]) -> Result<Vec<HostState>> {
        let now_ns = monotonic_ns()?;
        let hosts = ways.iter().filter_map(|&way| self.hosts.reader().host(way));
        hosts.map(|host| self.host_state(&host, now_ns)).collect()
    }

    /// The host table for reading its counters, which goes on whatever becomes of the datapath.
    #[must_use]
    pub fn host_source(&self) -> Arc<dyn HostSource> {
        Arc::<HostReader>::clone(self.hosts.reader())
    }

    pub(super) fn host_state(&self, host: &HostSnapshot, now_ns: u64) -> Result<HostState> {
        let held = self.limit_of(host)?;
        let usage = |direction| {
            let own = host.direction(direction);
            let wait_ns = held.map_or(0, |held| self.host_wait_ns(held, host, direction, now_ns));
            Usage { passed: own.passed, excess: own.excess, wait_ns }
        };
        let last_excess = Direction::ALL.map(|direction| {
            let last = host.direction(direction).last_excess;
            Some(LastExcess { reason: last.reason()?, ago_ns: last.since_ns(now_ns) })
        });
        Ok(HostState {
            place: host.place,
            address: host.address,
            limit: held.map(|held| held.stated.prefix),
            group: held.and_then(|held| held.stated.group.clone()),
            up: usage(Direction::Up),
            down: usage(Direction::Down),
            last_excess,
            idle_ns: host.idle_ns(now_ns),
        })
    }

    /// The limit that holds a host: the remembered one, unless the policy has changed since.
    pub(super) fn limit_of(&self, host: &HostSnapshot) -> Result<Option<&Entry<Limit>>> {
        if let Some(binding) = host.binding(self.config.policy().generation) {
            return Ok(binding.slot().and_then(|slot| self.limits.in_slot(slot)));
        }
        Ok(self.limits.longest(self.host_prefix(host.address)?))
    }

    /// Time until the next packet of a host conforms to its limit.
    fn host_wait_ns(
        &self,
        held: &Entry<Limit>,
        host: &HostSnapshot,
        direction: Direction,
        now_ns: u64,
    ) -> u64 {
        let total = held.stated.total;
        if held.stated.scope == Scope::Shared {
            return self.common_wait_ns(held, total, direction, now_ns);
        }
        let bytes = host.direction(side(total.bytes.is_some(), direction)).bytes_tat;
        let packets = host.direction(side(total.packets.is_some(), direction)).packets_tat;
        longest_wait_ns(&held.rates[direction as usize], bytes, packets, now_ns)
    }

    /// Time until the next packet conforms to common buckets.
    fn common_wait_ns<T>(
        &self,
        entry: &Entry<T>,
        total: Rates,
        direction: Direction,
        now_ns: u64,
    ) -> u64 {
        let tats = |total: bool| self.limits.rows().tats(entry.index, side(total, direction));
        let bytes = tats(total.bytes.is_some()).bytes;
        let packets = tats(total.packets.is_some()).packets;
        longest_wait_ns(&entry.rates[direction as usize], bytes, packets, now_ns)
    }
}

/// Counters with waits, up and down.
fn usages(uses: Uses, [up_ns, down_ns]: [u64; 2]) -> [Usage; 2] {
    let usage = |(passed, excess), wait_ns| Usage { passed, excess, wait_ns };
    let [up, down] = uses;
    [usage(up, up_ns), usage(down, down_ns)]
}

/// The direction whose bucket counts: that of `up` for both where there is a total.
pub(super) fn side(total: bool, direction: Direction) -> Direction {
    if total { Direction::Up } else { direction }
}

/// The longer of the waits for the byte and the packet bucket.
pub(super) fn longest_wait_ns(
    rates: &LimitRates,
    bytes_tat: u64,
    packets_tat: u64,
    now_ns: u64,
) -> u64 {
    let now = now_ns * TICKS_PER_NS;
    let wait = |tat: u64, rate: &Rate| bucket::wait(tat, now, rate);
    wait(bytes_tat, &rates.bytes).max(wait(packets_tat, &rates.packets)) / TICKS_PER_NS
}
