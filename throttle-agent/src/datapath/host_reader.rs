//! Reads the host table through shared memory, beside whoever changes it.

use std::{net::IpAddr, ops::Range};

use throttle_common::{
    abi::{Config, Host, HostDirection, HostName, HostSet},
    address::{Address, Mask},
    cell::{AtomicWord, Cell},
    host_table::{self, Choices, FREE, RESTING, Sets, WAYS},
};

use super::{
    codec,
    hosts::HostSnapshot,
    mapped::Mapped,
    state::{HostPlace, HostReading, HostSource, Tally},
};

/// Maps `HOST_SETS`, `HOSTS` and `HOST_NAMES`. They stay mapped as long as anyone has it, whatever
/// becomes of the datapath.
pub(super) struct HostReader {
    sets: Mapped<HostSet>,
    hosts: Mapped<Host>,
    /// Of every way, where tags do not tell all hosts.
    names: Option<Mapped<HostName>>,
    ipv6_mask: Mask,
    hash_seed: u64,
    set_mask: u32,
}

impl Sets for HostReader {
    fn set(&self, number: u32) -> Option<&HostSet> {
        self.sets.entries().get(number as usize)
    }
}

impl HostSource for HostReader {
    fn ways(&self) -> u32 {
        self.hosts.len() as u32
    }

    fn read(&self, ways: Range<u32>, each: &mut dyn FnMut(&HostReading)) {
        for way in ways {
            let tag = self.tag(way).load();
            if !is_used(tag) {
                continue;
            }
            let directions = &self.hosts.entries()[way as usize].directions;
            each(&HostReading {
                place: HostPlace { way, tag },
                passed: directions
                    .each_ref()
                    .map(|own| Tally::read(&own.passed_packets, &own.passed_bytes)),
                excess: directions
                    .each_ref()
                    .map(|own| Tally::read(&own.excess_packets, &own.excess_bytes)),
            });
        }
    }
}

impl HostReader {
    /// Wraps the maps of a configuration that is in force.
    pub(super) fn new(
        config: &Config,
        sets: Mapped<HostSet>,
        hosts: Mapped<Host>,
        names: Mapped<HostName>,
    ) -> Self {
        let names = Some(names).filter(|names| names.len() == hosts.len());
        let (ipv6_mask, hash_seed) = (config.ipv6_mask, config.hash_seed);
        Self { sets, hosts, names, ipv6_mask, hash_seed, set_mask: config.host_set_mask as u32 }
    }

    /// Hosts in the table.
    pub(super) fn tracked(&self) -> usize {
        let tags = self.sets.entries().iter().flat_map(|set| &set.tags);
        tags.map(|tag| usize::from(is_used(tag.load()))).sum()
    }

    /// Every direction of every way, whether a host has it or not.
    pub(super) fn directions(&self) -> impl Iterator<Item = &HostDirection> {
        self.hosts.entries().iter().flat_map(|host| &host.directions)
    }

    /// Every host.
    pub(super) fn iter(&self) -> impl Iterator<Item = HostSnapshot> {
        (0..self.ways()).filter_map(|way| self.host(way))
    }

    /// The host that has a way; `None` also while whoever has just claimed it is about to name it, and for the
    /// unspecified address, whose name is as none.
    pub(super) fn host(&self, way: u32) -> Option<HostSnapshot> {
        let host = self.hosts.entries().get(way as usize)?;
        let tag = self.tag(way).load();
        if !is_used(tag) {
            return None;
        }
        let address = match &self.names {
            None => host_table::address(tag),
            Some(names) => {
                let [high, low] = &names.entries()[way as usize].words;
                let (high, low) = (high.load(), low.load());
                if high == 0 && low == 0 {
                    return None;
                }
                Address::from_words(high, low)
            }
        };
        Some(HostSnapshot::new(HostPlace { way, tag }, address, host))
    }

    /// Whether look-ups of a host end at another way than its own: two processors claimed one each.
    pub(super) fn is_lost(&self, place: HostPlace) -> bool {
        host_table::find(self, self.choices(place.tag), place.tag) != Some(place.way)
    }

    /// The host that an address belongs to, its tag and the sets it may be in.
    pub(super) fn place(&self, address: IpAddr) -> (Address, u64, Choices) {
        let host = codec::encode_address(address).host(&self.ipv6_mask);
        let tag = host_table::tag(host, self.hash_seed);
        (host, tag, self.choices(tag))
    }

    fn choices(&self, tag: u64) -> Choices {
        Choices::new(tag, self.hash_seed, self.set_mask)
    }

    /// The tag of a way.
    pub(super) fn tag(&self, way: u32) -> &Cell {
        &self.sets.entries()[(way / WAYS) as usize].tags[(way % WAYS) as usize]
    }

    /// Makes a way as new that nobody uses.
    pub(super) fn clear(&self, way: u32) {
        let host = &self.hosts.entries()[way as usize];
        host.directions.iter().for_each(HostDirection::clear);
        self.name(way, Address::from_words(0, 0));
    }

    /// Notes the address of a host where its tag does not tell it.
    pub(super) fn name(&self, way: u32, host: Address) {
        if let Some(names) = &self.names {
            let (high, low) = host.words();
            let [to_high, to_low] = &names.entries()[way as usize].words;
            to_high.store(high);
            to_low.store(low);
        }
    }
}

/// Whether a way with this tag has a host.
fn is_used(tag: u64) -> bool {
    tag != FREE && tag != RESTING
}
