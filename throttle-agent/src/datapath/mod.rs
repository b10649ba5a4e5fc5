//! The sole owner of the eBPF program and its maps.
//!
//! Everything here speaks in terms of [`policy`](crate::policy): the rest of the agent never sees a
//! map, a slot or a pin.

mod bpf;
mod codec;
mod config;
mod counters;
mod hooks;
mod hosts;
mod interface;
mod layout;
mod limits;
mod links;
mod mapped;
mod netns;
mod object;
mod open;
mod pins;
mod pod;
mod refusal;
mod report;
mod state;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use aya::{Ebpf, programs::SchedClassifier};
use aya_log::EbpfLogger;
use ipnet::IpNet;
use throttle_common::{
    abi::{Direction, Hook, Side},
    rate::TICKS_PER_NS,
};

pub use state::{
    Change, Counters, HookKind, HostState, LimitCounters, LinkCounters, LinkStatus, Tally, Usage,
};

use self::{
    config::ConfigMap, counters::CounterTable, hosts::HostTable, limits::LimitTable,
    links::LinkTable,
};
use crate::{
    error::{Kind, Result, ResultExt},
    policy::{IPV6_HOST_PREFIX_BITS, Limit},
};

/// How to attach the program to an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum HookChoice {
    /// TCX where the kernel has it, else clsact
    #[default]
    Auto,
    /// TCX only (Linux 6.6 and newer)
    Tcx,
    /// the clsact qdisc only
    Clsact,
}

/// What the datapath is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the instance; its pins live in a directory of this name.
    pub instance: String,
    /// Directory above all instances' pins, on a BPF file system.
    pub pin_root: PathBuf,
    /// How to attach to interfaces.
    pub hook: HookChoice,
    /// Capacity of the host table, in hosts.
    pub max_hosts: u32,
    /// Capacity of the limit table, in limits.
    pub max_limits: u32,
    /// Messages of the eBPF program up to this level; `None` compiles them out.
    pub kernel_log: Option<tracing::Level>,
}

/// The loaded programs and the pinned maps of one instance.
///
/// Dropping it leaves enforcement in force: the pins hold the maps and the attached programs.
pub struct Datapath {
    ebpf: Ebpf,
    config: ConfigMap,
    links: LinkTable,
    limits: LimitTable,
    hosts: HostTable,
    counters: CounterTable,
    hook: HookChoice,
    adopted: bool,
}

impl Datapath {
    /// Whether an earlier agent's pins were adopted.
    #[must_use]
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Attaches to an interface; one that is attached already gets the new side.
    ///
    /// # Errors
    /// There is no such interface, it has no Ethernet header, or the kernel refuses.
    pub fn attach(&mut self, interface: &str, side: Side) -> Result<LinkStatus> {
        let counters = &mut self.counters;
        self.links
            .attach(&mut self.ebpf, interface, side, self.hook, |link| counters.clear_link(link))
    }

    /// Detaches from an interface; `false` when it was not attached.
    ///
    /// An interface that is gone is named by its index.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach(&mut self, interface: &str) -> Result<bool> {
        self.links.detach(interface)
    }

    /// Every limit, by prefix.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        self.limits.iter().map(|(limit, _)| limit.clone()).collect()
    }

    /// The limit of exactly this prefix.
    #[must_use]
    pub fn limit(&self, prefix: &IpNet) -> Option<Limit> {
        self.limits.get(prefix).map(|(limit, _)| limit.clone())
    }

    /// Puts a limit in force, in place of the one of the same prefix.
    ///
    /// Buckets keep their debt, cut to the new burst, and counters keep counting.
    ///
    /// # Errors
    /// The table is full, the burst lasts too long, or the kernel refuses; nothing changes then.
    pub fn set_limit(&mut self, limit: &Limit) -> Result<Change> {
        let change = match self.limits.get(&limit.prefix) {
            Some((known, _)) if known == limit => return Ok(Change::Unchanged),
            Some(_) => Change::Replaced,
            None => {
                self.counters.clear_limit(self.limits.index_for(&limit.prefix)?)?;
                Change::Created
            }
        };
        if let Some(host) = single_host(&limit.prefix) {
            let limits = &self.limits;
            let may_go = |other| !is_configured(limits, other);
            if !self.hosts.insert(self.config.get(), host, may_go) {
                tracing::warn!(%host, "its part of the host table is full of configured hosts");
            }
        }
        self.limits.write(limit)?;
        self.config.switch();
        Ok(change)
    }

    /// Takes a limit out of force; `false` when there is none of this prefix.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn delete_limit(&mut self, prefix: &IpNet) -> Result<bool> {
        let removed = self.limits.remove(prefix)?;
        if removed {
            self.config.switch();
        }
        Ok(removed)
    }

    /// The program of a hook, for running packets through it without sending them.
    ///
    /// # Errors
    /// The object lacks the program.
    pub fn classifier(&mut self, hook: Hook) -> Result<&mut SchedClassifier> {
        object::classifier(&mut self.ebpf, hook)
    }

    /// The reader of the program's own messages, once; `None` when they are compiled out.
    pub fn logger(&mut self) -> Option<EbpfLogger<&'static dyn log::Log>> {
        EbpfLogger::init(&mut self.ebpf).ok()
    }

    /// Removes hosts that traffic has made and that have been idle for `idle`, so that others find
    /// room; returns how many.
    ///
    /// Hosts with a limit of their own stay, and so do hosts that still owe.
    ///
    /// # Errors
    /// The clock cannot be read.
    pub fn expire_hosts(&mut self, idle: Duration) -> Result<usize> {
        let now_ns = report::monotonic_ns()?;
        let idle_ns = u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX);
        let limits = &self.limits;
        Ok(self.hosts.expire(self.config.get(), |host| {
            let owes = Direction::ALL.iter().any(|direction| {
                let own = host.direction(*direction);
                own.bytes_tat.max(own.packets_tat) > now_ns * TICKS_PER_NS
            });
            let seen_ns = host.last_seen_ns();
            let is_idle = seen_ns != 0 && now_ns.saturating_sub(seen_ns) >= idle_ns;
            is_idle && !owes && !is_configured(limits, host.address)
        }))
    }
}

/// Whether a host has a limit of its own.
fn is_configured(limits: &LimitTable, host: IpAddr) -> bool {
    host_prefix(host).is_ok_and(|prefix| limits.get(&prefix).is_some())
}

/// The host that is all of a prefix.
fn single_host(prefix: &IpNet) -> Option<IpAddr> {
    match prefix {
        IpNet::V4(net) if net.prefix_len() == 32 => Some(net.network().into()),
        IpNet::V6(net) if net.prefix_len() == IPV6_HOST_PREFIX_BITS => Some(net.network().into()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

/// The prefix that is all of a host.
fn host_prefix(host: IpAddr) -> Result<IpNet> {
    let bits = match host {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => IPV6_HOST_PREFIX_BITS,
    };
    IpNet::new(host, bits).map(|net| net.trunc()).doing(Kind::Failed, || format!("host {host}"))
}
