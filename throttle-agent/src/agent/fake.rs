//! An engine of tables, for tests without a kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Range,
    sync::Arc,
    time::Duration,
};

use throttle_common::{abi::Side, verdict::Reason};

use super::{Engine, ReadCounters, Search, no_link};
use crate::{
    datapath::{
        Applied, Change, Counters, Explanation, GroupCounters, HookKind, HostPlace, HostReading,
        HostSource, HostState, IdleHosts, LimitCounters, LinkCounters, LinkReport, LinkStatus,
        Place, Position, Tally, Usage,
    },
    error::Result,
    policy::{DEFAULT_IPV6_HOST_PREFIX, Group, GroupName, Limit, LimitKey, LinkLimit, Policy},
};

/// Two links, one host at 10.0.0.7, and the policy that is set.
pub(crate) struct FakeEngine {
    links: Vec<LinkStatus>,
    limits: BTreeMap<LimitKey, Limit>,
    groups: BTreeMap<GroupName, Group>,
    link_limits: BTreeMap<String, LinkLimit>,
    /// Packets of each reason, link and direction.
    pub(crate) packets: u64,
}

impl FakeEngine {
    pub(crate) fn new() -> Self {
        Self {
            links: vec![link("eth1", 1, Side::Far), link("eth2", 2, Side::Far)],
            limits: BTreeMap::new(),
            groups: BTreeMap::new(),
            link_limits: BTreeMap::new(),
            packets: 1,
        }
    }

    /// Every counter that is not per host.
    pub(crate) fn counters(&self) -> Counters {
        let tally = Tally { packets: self.packets, bytes: self.packets * 100 };
        let tallies = [tally; Reason::COUNT];
        let of_link =
            |link: &LinkStatus| LinkCounters { link: link.clone(), up: tallies, down: tallies };
        let none = Usage::default();
        let of_limit = |key: &LimitKey| LimitCounters {
            prefix: key.prefix,
            matches: key.matches,
            up: none,
            down: none,
        };
        let of_group =
            |name: &GroupName| GroupCounters { name: name.clone(), up: none, down: none };
        Counters {
            links: self.links.iter().map(of_link).collect(),
            limits: self.limits.keys().map(of_limit).collect(),
            groups: self.groups.keys().map(of_group).collect(),
            hosts_tracked: 1,
            hosts_capacity: 2,
            generation: 7,
        }
    }
}

fn link(interface: &str, ifindex: u32, side: Side) -> LinkStatus {
    LinkStatus {
        interface: Some(interface.to_owned()),
        ifindex,
        side,
        hook: HookKind::Tcx,
        pace_ready: None,
        fq: None,
    }
}

impl Engine for FakeEngine {
    /// No link has fq.
    fn links(&self) -> Vec<LinkStatus> {
        let paces = self.limits.values().any(|limit| limit.action.paces());
        let mut links = self.links.clone();
        for link in &mut links {
            link.pace_ready = paces.then_some(false);
        }
        links
    }

    fn attach(&mut self, interface: &str, side: Side) -> Result<LinkStatus> {
        let is_meant = |known: &LinkStatus| known.interface.as_deref() == Some(interface);
        let place = self.links.iter().position(is_meant);
        let ifindex = place.map_or(self.links.len() as u32 + 1, |place| self.links[place].ifindex);
        self.links.retain(|known| !is_meant(known));
        self.links.push(link(interface, ifindex, side));
        Ok(link(interface, ifindex, side))
    }

    fn detach(&mut self, interface: &str) -> Result<bool> {
        let before = self.links.len();
        self.links.retain(|link| link.interface.as_deref() != Some(interface));
        Ok(self.links.len() < before)
    }

    fn drop_link(&mut self, ifindex: u32) -> Result<Option<LinkLimit>> {
        let place = self.links.iter().position(|link| link.ifindex == ifindex);
        let name = place.and_then(|place| self.links.remove(place).interface);
        Ok(name.map(|name| self.link_limits.remove(&name).unwrap_or_default()))
    }

    fn restore_hooks(&mut self, _kind: HookKind) -> Vec<LinkStatus> {
        Vec::new()
    }

    fn check_pacing(&mut self) -> Result<()> {
        Ok(())
    }

    /// Every program is alone at its hook.
    fn link_reports(&self) -> Result<Vec<LinkReport>> {
        let alone = Some(Position::Tcx { place: 1, of: 1 });
        let report = |status| LinkReport {
            status,
            ingress: alone,
            egress: alone,
            other_instances: BTreeSet::new(),
        };
        Ok(self.links().into_iter().map(report).collect())
    }

    fn ipv6_host_prefix(&self) -> u8 {
        DEFAULT_IPV6_HOST_PREFIX
    }

    fn each_limit(&self) -> Box<dyn ExactSizeIterator<Item = &Limit> + '_> {
        Box::new(self.limits.values())
    }

    fn limit(&self, key: &LimitKey) -> Option<Limit> {
        self.limits.get(key).cloned()
    }

    fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        if let Some(group) = limit.group.as_ref().filter(|name| !self.groups.contains_key(name)) {
            return Err(group.unknown());
        }
        Ok(set(&mut self.limits, limit.key(), limit))
    }

    fn delete_limit(&mut self, key: &LimitKey) -> Result<bool> {
        Ok(self.limits.remove(key).is_some())
    }

    fn groups(&self) -> Vec<Group> {
        self.groups.values().cloned().collect()
    }

    fn group(&self, name: &GroupName) -> Option<Group> {
        self.groups.get(name).cloned()
    }

    fn set_group(&mut self, group: &Group) -> Result<Change> {
        Ok(set(&mut self.groups, group.name.clone(), group))
    }

    fn delete_group(&mut self, name: &GroupName) -> Result<bool> {
        let members = self.limits.values().filter(|limit| limit.group.as_ref() == Some(name));
        let members: Vec<_> = members.map(Limit::key).collect();
        if !members.is_empty() {
            return Err(name.in_use(&members));
        }
        Ok(self.groups.remove(name).is_some())
    }

    fn link_limit(&self, interface: &str) -> Option<LinkLimit> {
        let mut links = self.links.iter();
        links.find(|link| link.interface.as_deref() == Some(interface))?;
        Some(self.link_limits.get(interface).cloned().unwrap_or_default())
    }

    fn set_link_limit(&mut self, interface: &str, limit: &LinkLimit) -> Result<Change> {
        match self.link_limit(interface) {
            None => return Err(no_link(interface, &self.links)),
            Some(before) if before == *limit => return Ok(Change::Unchanged),
            Some(_) => {}
        }
        Ok(set(&mut self.link_limits, interface.to_owned(), limit))
    }

    fn apply(&mut self, policy: &Policy) -> Result<Applied> {
        let missing = policy.links.keys().find(|interface| self.link_limit(interface).is_none());
        if let Some(interface) = missing {
            return Err(no_link(interface, &self.links));
        }
        let limits = policy.limits.iter().map(|limit| (limit.key(), limit.clone())).collect();
        let groups =
            policy.groups.iter().map(|group| (group.name.clone(), group.clone())).collect();
        let (limits_set, limits_deleted) = differences(&self.limits, &limits);
        let (groups_set, groups_deleted) = differences(&self.groups, &groups);
        let (links_set, links_lifted) = differences(&self.link_limits, &policy.links);
        (self.limits, self.groups) = (limits, groups);
        self.link_limits = policy.links.clone();
        let links_set = links_set + links_lifted;
        Ok(Applied { limits_set, limits_deleted, groups_set, groups_deleted, links_set })
    }

    fn generation(&self) -> u32 {
        1
    }

    fn counter_reader(&self) -> Result<ReadCounters> {
        let counters = self.counters();
        Ok(Box::new(|| Ok(counters)))
    }

    /// Without levels.
    fn explain(&self, address: IpAddr) -> Result<Explanation> {
        let holds = |limit: &&Limit| limit.prefix.contains(&address);
        let mut holding: Vec<_> = self.limits.values().filter(holds).cloned().collect();
        holding.sort_by_key(|limit| std::cmp::Reverse(limit.prefix.prefix_len()));
        let state = self.host(address)?;
        Ok(Explanation {
            address,
            place: if state.is_some() { Place::Table } else { Place::Absent },
            state,
            holding: holding.iter().map(|limit| limit.prefix).collect(),
            limit: holding.into_iter().next(),
            exempt_peers: Vec::new(),
            levels: Vec::new(),
        })
    }

    fn host(&self, address: IpAddr) -> Result<Option<HostState>> {
        Ok(self.hosts_in(&[0])?.into_iter().find(|host| host.address == address))
    }

    fn hosts_in(&self, ways: &[u32]) -> Result<Vec<HostState>> {
        let host = HostState {
            place: HOST_PLACE,
            address: IpAddr::from([10, 0, 0, 7]),
            limit: None,
            group: None,
            up: Usage::default(),
            down: Usage { wait_ns: 9, ..Usage::default() },
            last_excess: [None, None],
            idle_ns: Some(500_000_000),
        };
        Ok(ways.iter().filter(|way| **way == HOST_PLACE.way).map(|_| host.clone()).collect())
    }

    fn host_source(&self) -> Arc<dyn HostSource> {
        Arc::new(FakeHosts)
    }

    fn idle_hosts(&mut self, _idle: Duration) -> Result<Search> {
        Ok(Box::new(std::iter::empty()))
    }

    fn forget_hosts(&mut self, _found: &IdleHosts) -> Result<usize> {
        Ok(0)
    }

    fn tidy(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn release(self: Box<Self>) {}

    fn remove(self: Box<Self>) -> Result<bool> {
        Ok(true)
    }
}

/// Where the one host is.
const HOST_PLACE: HostPlace = HostPlace { way: 0, tag: 7 };

struct FakeHosts;

impl HostSource for FakeHosts {
    fn ways(&self) -> u32 {
        2
    }

    fn read(&self, ways: Range<u32>, each: &mut dyn FnMut(&HostReading)) {
        if ways.contains(&HOST_PLACE.way) {
            each(&HostReading { place: HOST_PLACE, ..HostReading::default() });
        }
    }
}

fn set<K: Ord, V: Clone + PartialEq>(table: &mut BTreeMap<K, V>, key: K, value: &V) -> Change {
    match table.insert(key, value.clone()) {
        None => Change::Created,
        Some(before) if before == *value => Change::Unchanged,
        Some(_) => Change::Replaced,
    }
}

/// How many entries are new or changed, and how many are gone.
fn differences<K: Ord, V: PartialEq>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> (usize, usize) {
    let set = after.iter().filter(|(key, value)| before.get(key) != Some(value)).count();
    (set, before.keys().filter(|key| !after.contains_key(key)).count())
}
