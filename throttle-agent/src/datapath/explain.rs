//! Everything that decides about a host's next packet.

use std::net::IpAddr;

use aya::maps::{Array, MapData};
use throttle_common::{
    abi::{Binding, Direction, LimitRates},
    bucket, host_table,
    rate::{Rate, TICKS_PER_NS},
};

use super::{
    Datapath,
    clock::monotonic_ns,
    codec,
    hosts::HostSnapshot,
    limits::Entry,
    report::{longest_wait_ns, side},
    state::{BucketState, Explanation, LevelFlow, LevelName, LevelState, Place},
};
use crate::{
    error::{Kind, Result, ResultExt},
    policy::{Limit, Match, Rates, Scope},
};

/// Arrival times of a bucket of bytes and one of packets, in ticks.
type Tats = [u64; 2];

/// Map `OVERFLOW`, its values as words.
pub(super) type OverflowMap = Array<MapData, [u64; 16]>;

/// Words of one direction in it.
const DIRECTION_WORDS: usize = 8;

impl Datapath {
    /// Which limit holds a host, or would hold it, and what there is in its buckets.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn explain(&self, address: IpAddr) -> Result<Explanation> {
        let now_ns = monotonic_ns()?;
        let found = self.hosts.get(address);
        let prefix = self.host_prefix(address)?;
        let held = match &found {
            Some(host) => self.limit_of(host)?,
            None => self.limits.longest(prefix),
        };
        let mut levels = Vec::new();
        let mut place = if found.is_some() { Place::Table } else { Place::Absent };
        if let Some(held) = held {
            levels.push(self.leaf(held, found.as_ref(), now_ns));
            if found.is_none() && held.stated.scope == Scope::Each {
                let overflow = self.overflow_level(held, address, now_ns)?;
                place = if overflow.is_some() { Place::Overflow } else { place };
                levels.extend(overflow);
            }
            let group = held.stated.group.as_ref().and_then(|name| self.limits.group(name));
            levels.extend(group.map(|group| {
                let name = LevelName::Group(group.stated.name.clone());
                let stated = [group.stated.up, group.stated.down, group.stated.total];
                self.common_level(name, group, stated, now_ns)
            }));
        }
        for link in self.links.iter() {
            let Some(limit) = self.limits.link(link.ifindex) else { continue };
            let interface = self.links.status(link, false).interface;
            let name = interface.unwrap_or_else(|| link.ifindex.to_string());
            let stated = [limit.stated.up, limit.stated.down, limit.stated.total];
            levels.push(self.common_level(LevelName::Link(name), limit, stated, now_ns));
        }
        let is_peer = |entry: &&Entry<Limit>| entry.stated.matches == Match::Peer;
        Ok(Explanation {
            address: prefix.addr(),
            place,
            state: found.map(|host| self.host_state(&host, now_ns)).transpose()?,
            limit: held.map(|held| held.stated.clone()),
            holding: self.limits.holding(prefix).map(|entry| entry.stated.prefix).collect(),
            exempt_peers: self
                .limits
                .iter()
                .filter(is_peer)
                .map(|entry| entry.stated.prefix)
                .collect(),
            levels,
        })
    }

    /// The host's own buckets, or those that its prefix shares.
    fn leaf(&self, held: &Entry<Limit>, host: Option<&HostSnapshot>, now_ns: u64) -> LevelState {
        let limit = &held.stated;
        let stated = [limit.up, limit.down, limit.total];
        if limit.scope == Scope::Shared {
            return self.common_level(LevelName::Prefix(limit.prefix), held, stated, now_ns);
        }
        level(LevelName::Host, &held.rates, stated, now_ns, |direction| {
            host.map_or([0; 2], |host| {
                let own = host.direction(direction);
                [own.bytes_tat, own.packets_tat]
            })
        })
    }

    /// Buckets that many hosts are charged to.
    fn common_level<T>(
        &self,
        name: LevelName,
        entry: &Entry<T>,
        stated: [Rates; 3],
        now_ns: u64,
    ) -> LevelState {
        level(name, &entry.rates, stated, now_ns, |direction| {
            let tats = self.limits.rows().tats(entry.index, direction);
            [tats.bytes, tats.packets]
        })
    }

    /// The buckets that a host without a way is charged to, if hosts of its limit have debts there now.
    fn overflow_level(
        &self,
        held: &Entry<Limit>,
        address: IpAddr,
        now_ns: u64,
    ) -> Result<Option<LevelState>> {
        let config = self.config.get();
        let host = codec::encode_address(address).host(&config.ipv6_mask);
        let number = host_table::overflow_number(host, held.slot(), config.hash_seed);
        let words = self.overflow.get(&number, 0).doing(Kind::Failed, || "reading map OVERFLOW")?;
        let tats = |direction: Direction| {
            let own = &words[direction as usize * DIRECTION_WORDS..][..DIRECTION_WORDS];
            if Binding::from_word(own[2]).slot == held.slot() {
                return [own[0], own[1]];
            }
            // Where another limit has a debt, the limit's own row takes the place.
            let row = self.limits.rows().tats(held.index, direction);
            [row.bytes, row.packets]
        };
        let now = now_ns * TICKS_PER_NS;
        let owes = |direction| tats(direction).iter().any(|tat| bucket::debt(*tat, now) > 0);
        if !Direction::ALL.into_iter().any(owes) {
            return Ok(None);
        }
        let stated = [held.stated.up, held.stated.down, held.stated.total];
        Ok(Some(level(LevelName::Overflow, &held.rates, stated, now_ns, tats)))
    }
}

/// A level of `stated` rates up, down and in total, its arrival times given by direction.
fn level(
    name: LevelName,
    rates: &[LimitRates; 2],
    stated: [Rates; 3],
    now_ns: u64,
    tats: impl Fn(Direction) -> Tats,
) -> LevelState {
    let [up, down, total] = stated;
    let flow = |direction: Direction, own: Rates| {
        let [bytes, _] = tats(side(total.bytes.is_some(), direction));
        let [_, packets] = tats(side(total.packets.is_some(), direction));
        let held = &rates[direction as usize];
        let bucket =
            |tat, rate: &Rate| rate.is_limited().then(|| BucketState::new(tat, rate, now_ns));
        LevelFlow {
            rates: Rates {
                bytes: total.bytes.or(own.bytes),
                packets: total.packets.or(own.packets),
            },
            bytes: bucket(bytes, &held.bytes),
            packets: bucket(packets, &held.packets),
            wait_ns: longest_wait_ns(held, bytes, packets, now_ns),
        }
    };
    let flows = [flow(Direction::Up, up), flow(Direction::Down, down)];
    let is_total = [total.bytes.is_some(), total.packets.is_some()];
    LevelState { name, flows, is_total }
}

impl BucketState {
    fn new(tat: u64, rate: &Rate, now_ns: u64) -> Self {
        Self {
            debt_ns: bucket::debt(tat, now_ns * TICKS_PER_NS) / TICKS_PER_NS,
            burst_ns: rate.burst_ticks / TICKS_PER_NS,
            credit_ns: bucket::credit(tat) / TICKS_PER_NS,
        }
    }
}
