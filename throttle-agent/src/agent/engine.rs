//! The datapath as the control socket and telemetry use it.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use crate::{
    datapath::{Change, Counters, Datapath, HostState, LinkStatus, Options},
    error::{Error, Result},
    policy::Limit,
};

/// What enforces limits: the kernel in earnest, a table in tests.
///
/// Errors are those of the kernel's maps and hooks.
#[expect(clippy::missing_errors_doc, reason = "stated once, above")]
pub trait Engine: Send {
    /// The interfaces it is attached to.
    fn links(&self) -> Vec<LinkStatus>;

    /// Detaches from an interface; `false` when it was not attached.
    fn detach(&mut self, interface: &str) -> Result<bool>;

    /// All limits, sorted.
    fn limits(&self) -> Vec<Limit>;

    /// The limit of exactly this prefix.
    fn limit(&self, prefix: &IpNet) -> Option<Limit>;

    /// Sets the limit of a prefix.
    fn set_limit(&mut self, limit: &Limit) -> Result<Change>;

    /// Deletes the limit of a prefix; `false` when there was none.
    fn delete_limit(&mut self, prefix: &IpNet) -> Result<bool>;

    /// Reads every counter that is not per host.
    fn counters(&self) -> Result<Counters>;

    /// Reads one host.
    fn host(&self, address: IpAddr) -> Result<Option<HostState>>;

    /// Reads all hosts.
    fn hosts(&self) -> Result<Vec<HostState>>;

    /// Forgets hosts that traffic has made and that have been idle for `idle`; returns how many.
    fn expire_hosts(&mut self, idle: Duration) -> Result<usize>;

    /// Detaches every link and removes all pins: nothing is enforced any more.
    fn remove(self: Box<Self>) -> Result<bool>;
}

/// The kernel's datapath, with what it takes to remove it.
pub struct Kernel {
    /// The datapath.
    pub datapath: Datapath,
    /// What it was opened with.
    pub options: Options,
}

impl Engine for Kernel {
    fn links(&self) -> Vec<LinkStatus> {
        self.datapath.links()
    }

    fn detach(&mut self, interface: &str) -> Result<bool> {
        self.datapath.detach(interface)
    }

    fn limits(&self) -> Vec<Limit> {
        self.datapath.limits()
    }

    fn limit(&self, prefix: &IpNet) -> Option<Limit> {
        self.datapath.limit(prefix)
    }

    fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        self.datapath.set_limit(limit)
    }

    fn delete_limit(&mut self, prefix: &IpNet) -> Result<bool> {
        self.datapath.delete_limit(prefix)
    }

    fn counters(&self) -> Result<Counters> {
        self.datapath.counters()
    }

    fn host(&self, address: IpAddr) -> Result<Option<HostState>> {
        self.datapath.host(address)
    }

    fn hosts(&self) -> Result<Vec<HostState>> {
        self.datapath.hosts()
    }

    fn expire_hosts(&mut self, idle: Duration) -> Result<usize> {
        self.datapath.expire_hosts(idle)
    }

    fn remove(self: Box<Self>) -> Result<bool> {
        let Self { datapath, options } = *self;
        drop(datapath);
        Datapath::remove(&options)
    }
}

/// The error of detaching from an interface that was not attached.
#[must_use]
pub fn not_attached(interface: &str, links: &[LinkStatus]) -> Error {
    let attached: Vec<_> = links.iter().filter_map(|link| link.interface.as_deref()).collect();
    let error = Error::failed(format_args!("interface {interface} is not attached"));
    if attached.is_empty() {
        error
    } else {
        error.hint(format_args!("attached are {}", attached.join(", ")))
    }
}
