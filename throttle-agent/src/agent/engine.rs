//! The datapath as the control socket and telemetry use it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use throttle_common::abi::Side;

use crate::{
    datapath::{
        Applied, Change, Counters, Datapath, Explanation, HookKind, HostSource, HostState,
        IdleHosts, InstanceLock, LinkReport, LinkStatus, Options,
    },
    error::{Error, Kind, Result},
    policy::{Group, GroupName, Limit, LimitKey, LinkLimit, Policy},
};

/// A search for idle hosts: a batch at a time, as they are found.
pub type Search = Box<dyn Iterator<Item = IdleHosts> + Send>;

/// Reads counters beside the engine.
pub type ReadCounters = Box<dyn FnOnce() -> Result<Counters> + Send>;

/// What enforces limits: the kernel in earnest, a table in tests.
///
/// Errors are those of the kernel's maps and hooks.
#[expect(clippy::missing_errors_doc, reason = "stated once, above")]
pub trait Engine: Send {
    /// The interfaces it is attached to.
    fn links(&self) -> Vec<LinkStatus>;

    /// Their names, but for those that are gone.
    fn attached(&self) -> Vec<String> {
        self.links().into_iter().filter_map(|link| link.interface).collect()
    }

    /// Attaches to an interface; one that is attached already gets the new side.
    fn attach(&mut self, interface: &str, side: Side) -> Result<LinkStatus>;

    /// Detaches from an interface; `false` when it was not attached.
    fn detach(&mut self, interface: &str) -> Result<bool>;

    /// Detaches from an interface, by its index; returns the limit that the link had, `None` when the
    /// interface was not attached.
    fn drop_link(&mut self, ifindex: u32) -> Result<Option<LinkLimit>>;

    /// Attaches again where others have detached a program, on links of one kind, and puts back what those rely
    /// on; returns those links. What the kernel refuses is logged.
    fn restore_hooks(&mut self, kind: HookKind) -> Vec<LinkStatus>;

    /// Looks at the links' qdiscs again, if a limit paces.
    fn check_pacing(&mut self) -> Result<()>;

    /// Every link, and what is attached to its interface.
    fn link_reports(&self) -> Result<Vec<LinkReport>>;

    /// All limits, in the order of their keys.
    fn each_limit(&self) -> Box<dyn ExactSizeIterator<Item = &Limit> + '_>;

    /// All limits, in the order of their keys, for reading beside the engine.
    fn limits(&self) -> Vec<Limit> {
        self.each_limit().cloned().collect()
    }

    /// Length of the IPv6 prefix that counts as one host.
    fn ipv6_host_prefix(&self) -> u8;

    /// The limit of exactly this key.
    fn limit(&self, key: &LimitKey) -> Option<Limit>;

    /// Sets the limit of a key; a group that it names must exist.
    fn set_limit(&mut self, limit: &Limit) -> Result<Change>;

    /// Deletes the limit of a key; `false` when there was none.
    fn delete_limit(&mut self, key: &LimitKey) -> Result<bool>;

    /// All groups, sorted.
    fn groups(&self) -> Vec<Group>;

    /// The group of this name.
    fn group(&self, name: &GroupName) -> Option<Group>;

    /// Sets the group of a name.
    fn set_group(&mut self, group: &Group) -> Result<Change>;

    /// Deletes the group of a name; `false` when there was none, refused while limits name it.
    fn delete_group(&mut self, name: &GroupName) -> Result<bool>;

    /// The limit of a link; `None` when it is not attached.
    fn link_limit(&self, interface: &str) -> Option<LinkLimit>;

    /// Sets the limit of a link, which must be attached.
    fn set_link_limit(&mut self, interface: &str, limit: &LinkLimit) -> Result<Change>;

    /// Puts a whole policy in force at one instant; what it lacks is deleted, and the limits of links
    /// that it does not name are lifted.
    fn apply(&mut self, policy: &Policy) -> Result<Applied>;

    /// Number of the policy in force; it grows with every change, from the number before the last one
    /// back to 1.
    fn generation(&self) -> u32;

    /// Reads every counter that is not per host; what takes long is left to the function returned, which
    /// reads beside the engine.
    fn counter_reader(&self) -> Result<ReadCounters>;

    /// Reads one host.
    fn host(&self, address: IpAddr) -> Result<Option<HostState>>;

    /// Which limit holds a host, or would, and what there is in its buckets.
    fn explain(&self, address: IpAddr) -> Result<Explanation>;

    /// Reads the hosts in these ways of the host table; a way without a host is left out.
    fn hosts_in(&self, ways: &[u32]) -> Result<Vec<HostState>>;

    /// The host table for reading its counters beside the engine.
    fn host_source(&self) -> Arc<dyn HostSource>;

    /// Begins a search beside the engine for hosts that traffic has made and that have been idle for
    /// `idle`, or for less if the table is filling up.
    fn idle_hosts(&mut self, idle: Duration) -> Result<Search>;

    /// Forgets those of the hosts found that are idle still; returns how many.
    fn forget_hosts(&mut self, found: &IdleHosts) -> Result<usize>;

    /// Does a part of what had to wait until no packet could see it; `true` when nothing is left.
    fn tidy(&mut self) -> Result<bool>;

    /// Lets go of what is enforced, which stays in force.
    fn release(self: Box<Self>);

    /// Detaches every link and removes all pins: nothing is enforced any more.
    fn remove(self: Box<Self>) -> Result<bool>;
}

/// The kernel's datapath, with what it takes to remove it.
pub struct Kernel {
    /// The datapath.
    pub datapath: Datapath,
    /// What it was opened with.
    pub options: Options,
    /// The right to work on the instance.
    pub lock: Arc<InstanceLock>,
}

impl Engine for Kernel {
    fn links(&self) -> Vec<LinkStatus> {
        self.datapath.links()
    }

    fn attach(&mut self, interface: &str, side: Side) -> Result<LinkStatus> {
        self.datapath.attach(interface, side)
    }

    fn detach(&mut self, interface: &str) -> Result<bool> {
        self.datapath.detach(interface)
    }

    fn drop_link(&mut self, ifindex: u32) -> Result<Option<LinkLimit>> {
        self.datapath.drop_link(ifindex)
    }

    fn restore_hooks(&mut self, kind: HookKind) -> Vec<LinkStatus> {
        // What the lock lies beside.
        if kind == HookKind::Tcx && self.datapath.restore_pins() {
            self.lock.renew();
        }
        self.datapath.restore_hooks(kind)
    }

    fn check_pacing(&mut self) -> Result<()> {
        self.datapath.check_pacing()
    }

    fn link_reports(&self) -> Result<Vec<LinkReport>> {
        self.datapath.link_reports()
    }

    fn each_limit(&self) -> Box<dyn ExactSizeIterator<Item = &Limit> + '_> {
        Box::new(self.datapath.each_limit())
    }

    fn ipv6_host_prefix(&self) -> u8 {
        self.datapath.ipv6_host_prefix()
    }

    fn limit(&self, key: &LimitKey) -> Option<Limit> {
        self.datapath.limit(key)
    }

    fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        self.datapath.set_limit(limit)
    }

    fn delete_limit(&mut self, key: &LimitKey) -> Result<bool> {
        self.datapath.delete_limit(key)
    }

    fn groups(&self) -> Vec<Group> {
        self.datapath.groups()
    }

    fn group(&self, name: &GroupName) -> Option<Group> {
        self.datapath.group(name)
    }

    fn set_group(&mut self, group: &Group) -> Result<Change> {
        self.datapath.set_group(group)
    }

    fn delete_group(&mut self, name: &GroupName) -> Result<bool> {
        self.datapath.delete_group(name)
    }

    fn link_limit(&self, interface: &str) -> Option<LinkLimit> {
        self.datapath.link_limit(interface)
    }

    fn set_link_limit(&mut self, interface: &str, limit: &LinkLimit) -> Result<Change> {
        self.datapath.set_link_limit(interface, limit)
    }

    fn apply(&mut self, policy: &Policy) -> Result<Applied> {
        self.datapath.apply(policy)
    }

    fn generation(&self) -> u32 {
        self.datapath.generation()
    }

    fn counter_reader(&self) -> Result<ReadCounters> {
        Ok(Box::new(self.datapath.counter_reader()?))
    }

    fn host(&self, address: IpAddr) -> Result<Option<HostState>> {
        self.datapath.host(address)
    }

    fn explain(&self, address: IpAddr) -> Result<Explanation> {
        self.datapath.explain(address)
    }

    fn hosts_in(&self, ways: &[u32]) -> Result<Vec<HostState>> {
        self.datapath.hosts_in(ways)
    }

    fn host_source(&self) -> Arc<dyn HostSource> {
        self.datapath.host_source()
    }

    fn idle_hosts(&mut self, idle: Duration) -> Result<Search> {
        Ok(Box::new(self.datapath.idle_hosts(idle)?))
    }

    fn forget_hosts(&mut self, found: &IdleHosts) -> Result<usize> {
        self.datapath.forget_hosts(found)
    }

    fn tidy(&mut self) -> Result<bool> {
        self.datapath.tidy()
    }

    fn release(mut self: Box<Self>) {
        if !self.datapath.restore_pins() {
            tracing::error!(
                "pins of instance {} are missing and cannot be made: limits on its TCX links end with this process",
                self.options.instance
            );
        }
    }

    fn remove(self: Box<Self>) -> Result<bool> {
        let Self { mut datapath, options, .. } = *self;
        // While it knows of links whose pins are missing.
        datapath.detach_all()?;
        drop(datapath);
        Datapath::remove(&options)
    }
}

/// The policy in force; links that are not limited are left out.
#[must_use]
pub fn policy_in_force(engine: &dyn Engine) -> Policy {
    let limited = engine.attached().into_iter().filter_map(|interface| {
        let limit = engine.link_limit(&interface)?;
        (limit != LinkLimit::default()).then_some((interface, limit))
    });
    Policy { limits: engine.limits(), groups: engine.groups(), links: limited.collect() }
}

/// Checks that every link that a policy names is attached.
///
/// # Errors
/// [`Kind::NotFound`], naming the first that is not.
pub fn check_attached(policy: &Policy, links: &[LinkStatus]) -> Result<()> {
    let is_absent = |name: &&String| links.iter().all(|link| link.interface.as_ref() != Some(name));
    policy.links.keys().find(is_absent).map_or(Ok(()), |name| Err(no_link(name, links)))
}

/// The error of naming a link that there is not.
#[must_use]
pub fn no_link(interface: &str, links: &[LinkStatus]) -> Error {
    not_attached(interface, links).with_kind(Kind::NotFound)
}

/// The error of detaching from an interface that was not attached.
#[must_use]
pub fn not_attached(interface: &str, links: &[LinkStatus]) -> Error {
    let attached: Vec<_> = links.iter().filter_map(|link| link.interface.as_deref()).collect();
    let error = Error::conflict(format_args!("interface {interface} is not attached"));
    if attached.is_empty() {
        error
    } else {
        error.hint(format_args!("attached are {}", attached.join(", ")))
    }
}
