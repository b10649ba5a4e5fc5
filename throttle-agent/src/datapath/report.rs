//! Reads links, hosts and counters out of the maps.

use std::net::IpAddr;

use throttle_common::{
    abi::Direction,
    bucket,
    rate::{Rate, TICKS_PER_NS},
};

use super::{
    Datapath, codec, host_prefix,
    hosts::{DirectionSnapshot, HostSnapshot},
    links,
    state::{Counters, HostState, LimitCounters, LinkCounters, LinkStatus, Usage},
};
use crate::{
    error::{Kind, Result, ResultExt},
    policy::{Limit, Scope},
};

impl Datapath {
    /// Every link.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        self.links.iter().map(links::status).collect()
    }

    /// Reads every counter that is not per host.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn counters(&self) -> Result<Counters> {
        let mut links = Vec::new();
        for link in self.links.iter() {
            links.push(LinkCounters {
                link: links::status(link),
                up: self.counters.reasons(link.index, Direction::Up)?,
                down: self.counters.reasons(link.index, Direction::Down)?,
            });
        }
        let mut limits = Vec::new();
        for (limit, index) in self.limits.iter() {
            let use_of = |direction| self.limit_use(limit, index, direction);
            let (up, down) = (use_of(Direction::Up)?, use_of(Direction::Down)?);
            limits.push(LimitCounters { prefix: limit.prefix, up, down });
        }
        Ok(Counters {
            links,
            limits,
            hosts_tracked: self.hosts.tracked() as u64,
            hosts_capacity: self.hosts.capacity() as u64,
        })
    }

    /// The host that an address belongs to; `None` when it is not in the table.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn host(&self, address: IpAddr) -> Result<Option<HostState>> {
        let now_ns = monotonic_ns()?;
        let host = self.hosts.get(self.config.get(), address);
        host.map(|host| self.host_state(&host, now_ns)).transpose()
    }

    /// Every host of the table.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn hosts(&self) -> Result<Vec<HostState>> {
        let now_ns = monotonic_ns()?;
        self.hosts.iter().map(|host| self.host_state(&host, now_ns)).collect()
    }

    fn host_state(&self, host: &HostSnapshot, now_ns: u64) -> Result<HostState> {
        let held = self.limit_of(host)?;
        let usage = |direction| -> Result<Usage> {
            let own = host.direction(direction);
            let wait_ns = match held {
                Some((limit, index)) => self.wait_ns(limit, index, host, direction, now_ns)?,
                None => 0,
            };
            Ok(Usage { passed: own.passed, excess: own.excess, wait_ns })
        };
        let seen_ns = host.last_seen_ns();
        Ok(HostState {
            address: host.address,
            limit: held.map(|(limit, _)| limit.prefix),
            up: usage(Direction::Up)?,
            down: usage(Direction::Down)?,
            idle_ns: (seen_ns != 0).then(|| now_ns.saturating_sub(seen_ns)),
        })
    }

    /// The limit that holds a host: the remembered one, unless the policy has changed since.
    fn limit_of(&self, host: &HostSnapshot) -> Result<Option<(&Limit, u32)>> {
        let binding = host.latest_binding();
        if binding.generation == self.config.generation() {
            return Ok(binding.slot().and_then(|slot| self.limits.in_slot(slot)));
        }
        Ok(self.limits.longest(host_prefix(host.address)?))
    }

    fn limit_use(&self, limit: &Limit, index: u32, direction: Direction) -> Result<Usage> {
        let (passed, excess) = self.counters.limit_use(index, direction)?;
        let wait_ns = match limit.scope {
            Scope::Each => 0,
            Scope::Shared => self.shared_wait_ns(limit, index, direction, monotonic_ns()?)?,
        };
        Ok(Usage { passed, excess, wait_ns })
    }

    /// Time until the next packet of a host conforms.
    fn wait_ns(
        &self,
        limit: &Limit,
        index: u32,
        host: &HostSnapshot,
        direction: Direction,
        now_ns: u64,
    ) -> Result<u64> {
        match limit.scope {
            Scope::Shared => self.shared_wait_ns(limit, index, direction, now_ns),
            Scope::Each => {
                let up = host.direction(Direction::Up);
                let own = host.direction(direction);
                let bytes = if limit.total.bytes.is_some() { up } else { own };
                let packets = if limit.total.packets.is_some() { up } else { own };
                longest_wait_ns(limit, direction, tats(bytes, packets), now_ns)
            }
        }
    }

    fn shared_wait_ns(
        &self,
        limit: &Limit,
        index: u32,
        direction: Direction,
        now_ns: u64,
    ) -> Result<u64> {
        let side = |total: bool| if total { Direction::Up } else { direction };
        let bytes = self.counters.shared(index, side(limit.total.bytes.is_some()))?.bytes;
        let packets = self.counters.shared(index, side(limit.total.packets.is_some()))?.packets;
        longest_wait_ns(limit, direction, (bytes, packets), now_ns)
    }
}

fn tats(bytes: &DirectionSnapshot, packets: &DirectionSnapshot) -> (u64, u64) {
    (bytes.bytes_tat, packets.packets_tat)
}

/// The longer of the waits for the byte and the packet bucket.
fn longest_wait_ns(
    limit: &Limit,
    direction: Direction,
    (bytes_tat, packets_tat): (u64, u64),
    now_ns: u64,
) -> Result<u64> {
    let rates = codec::encode(limit, 0)?.rates[direction as usize];
    let now = now_ns * TICKS_PER_NS;
    let wait = |tat: u64, rate: &Rate| bucket::wait(tat, now, rate);
    Ok(wait(bytes_tat, &rates.bytes).max(wait(packets_tat, &rates.packets)) / TICKS_PER_NS)
}

/// The clock that the program reads.
pub(super) fn monotonic_ns() -> Result<u64> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .doing(Kind::Failed, || "reading the monotonic clock")?;
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Ok(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or_default())
}
