//! An engine of tables, for tests without a kernel.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use ipnet::IpNet;
use throttle_common::{abi::Side, verdict::Reason};

use super::Engine;
use crate::{
    datapath::{
        Change, Counters, HookKind, HostState, LimitCounters, LinkCounters, LinkStatus, Tally,
        Usage,
    },
    error::Result,
    policy::Limit,
};

/// Two links, one host at 10.0.0.7, and the limits that are set.
pub(crate) struct FakeEngine {
    links: Vec<LinkStatus>,
    limits: BTreeMap<IpNet, Limit>,
}

impl FakeEngine {
    pub(crate) fn new() -> Self {
        let link = |interface: &str, ifindex| LinkStatus {
            interface: Some(interface.to_owned()),
            ifindex,
            side: Side::Far,
            hook: HookKind::Tcx,
        };
        Self { links: vec![link("eth1", 1), link("eth2", 2)], limits: BTreeMap::new() }
    }
}

impl Engine for FakeEngine {
    fn links(&self) -> Vec<LinkStatus> {
        self.links.clone()
    }

    fn detach(&mut self, interface: &str) -> Result<bool> {
        let before = self.links.len();
        self.links.retain(|link| link.interface.as_deref() != Some(interface));
        Ok(self.links.len() < before)
    }

    fn limits(&self) -> Vec<Limit> {
        self.limits.values().cloned().collect()
    }

    fn limit(&self, prefix: &IpNet) -> Option<Limit> {
        self.limits.get(prefix).cloned()
    }

    fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        Ok(match self.limits.insert(limit.prefix, limit.clone()) {
            None => Change::Created,
            Some(before) if before == *limit => Change::Unchanged,
            Some(_) => Change::Replaced,
        })
    }

    fn delete_limit(&mut self, prefix: &IpNet) -> Result<bool> {
        Ok(self.limits.remove(prefix).is_some())
    }

    fn counters(&self) -> Result<Counters> {
        let tallies = [Tally { packets: 1, bytes: 100 }; Reason::COUNT];
        let of_link =
            |link: &LinkStatus| LinkCounters { link: link.clone(), up: tallies, down: tallies };
        let of_limit = |prefix: &IpNet| LimitCounters {
            prefix: *prefix,
            up: Usage::default(),
            down: Usage::default(),
        };
        Ok(Counters {
            links: self.links.iter().map(of_link).collect(),
            limits: self.limits.keys().map(of_limit).collect(),
            hosts_tracked: 1,
            hosts_capacity: 2,
        })
    }

    fn host(&self, address: IpAddr) -> Result<Option<HostState>> {
        Ok(self.hosts()?.into_iter().find(|host| host.address == address))
    }

    fn hosts(&self) -> Result<Vec<HostState>> {
        Ok(vec![HostState {
            address: IpAddr::from([10, 0, 0, 7]),
            limit: None,
            up: Usage::default(),
            down: Usage { wait_ns: 9, ..Usage::default() },
            idle_ns: Some(500_000_000),
        }])
    }

    fn expire_hosts(&mut self, _idle: Duration) -> Result<usize> {
        Ok(0)
    }

    fn remove(self: Box<Self>) -> Result<bool> {
        Ok(true)
    }
}
