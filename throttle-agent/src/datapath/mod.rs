//! The sole owner of the eBPF program and its maps.
//!
//! Everything here speaks in terms of [`policy`](crate::policy): the rest of the agent never sees a
//! map, a slot or a pin.

mod bpf;
mod carry;
mod change;
mod clock;
#[doc(hidden)]
pub mod codec;
mod config;
mod counters;
mod events;
mod expiry;
mod explain;
mod held;
mod hooks;
mod host_reader;
mod hosts;
mod interface;
mod layout;
mod limit_use;
mod limits;
mod links;
mod lock;
mod mapped;
mod maps;
mod netns;
mod object;
mod open;
mod pins;
mod pod;
mod prefix;
mod qdisc;
mod refusal;
mod report;
mod state;
mod upkeep;

use std::{net::IpAddr, path::PathBuf};

use aya::{Ebpf, programs::SchedClassifier};
use aya_log::EbpfLogger;
use ipnet::IpNet;
use throttle_common::{
    abi::{Hook, Side},
    host_table,
};

pub use events::{Exceeding, ExcessEvents};
pub use expiry::{IdleHosts, IdleSearch};
pub(crate) use interface::is_readable;
pub use lock::InstanceLock;
pub use object::{OBJECT, make_maps};
pub use state::{
    Applied, BucketState, Change, Counters, Explanation, FqRoom, GroupCounters, HookKind,
    HostPlace, HostReading, HostSource, HostState, LastExcess, LevelFlow, LevelName, LevelState,
    LimitCounters, LinkCounters, LinkReport, LinkStatus, Place, Position, Tally, Usage,
};

use self::{
    config::ConfigMap, counters::CounterTable, hosts::HostTable, limits::LimitTable,
    links::LinkTable,
};
use crate::{error::Result, policy::LinkLimit};

/// How to attach the program to an interface.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    clap::ValueEnum,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
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
    /// Length of the IPv6 prefix that is one host, in bits, from 48 to 128.
    pub ipv6_host_prefix: u8,
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
    events: Option<ExcessEvents>,
    overflow: explain::OverflowMap,
    hook: HookChoice,
    adopted: bool,
    /// Of the last search for idle hosts.
    turn: u32,
}

impl Datapath {
    /// Whether an earlier agent's pins were adopted.
    #[must_use]
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Length of the IPv6 prefix that is one host, in bits.
    #[must_use]
    pub fn ipv6_host_prefix(&self) -> u8 {
        self.config.ipv6_host_prefix()
    }

    /// Hosts that the host table has room for.
    #[must_use]
    pub fn max_hosts(&self) -> u32 {
        host_table::hosts_for(self.hosts.reader().ways() / host_table::WAYS)
    }

    /// Limits, groups and limited links that there is room for.
    #[must_use]
    pub fn max_limits(&self) -> u32 {
        self.limits.capacity() as u32
    }

    /// Attaches to an interface; one that is attached already gets the new side.
    ///
    /// # Errors
    /// There is no such interface, its packets cannot be read, or the kernel refuses.
    pub fn attach(&mut self, interface: &str, side: Side) -> Result<LinkStatus> {
        let counters = &mut self.counters;
        let clear = |link| counters.clear_link(link);
        let link = self.links.attach(&mut self.ebpf, interface, side, self.hook, clear)?;
        self.check_pacing()?;
        Ok(self.links.status(&link, self.limits.paces()))
    }

    /// Detaches from an interface; `false` when it was not attached.
    ///
    /// An interface that is gone is named by its index.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach(&mut self, interface: &str) -> Result<bool> {
        let Some(link) = self.links.named(interface) else { return Ok(false) };
        Ok(self.drop_link(link.ifindex)?.is_some())
    }

    /// Detaches from an interface, by its index; returns the limit that the link had, `None` when the
    /// interface was not attached.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn drop_link(&mut self, ifindex: u32) -> Result<Option<LinkLimit>> {
        let Some(link) = self.links.with_index(ifindex) else { return Ok(None) };
        let limit = self.limit_of_link(&link);
        self.links.drop_link(&link)?;
        self.limits.remove_link(ifindex, self.bank());
        Ok(Some(limit))
    }

    /// Attaches again where others have detached a program, on links of one kind; returns those links.
    /// What the kernel refuses is logged.
    pub fn restore_hooks(&mut self, kind: HookKind) -> Vec<LinkStatus> {
        let restored = self.links.restore(&mut self.ebpf, kind);
        let paces = self.limits.paces();
        restored.iter().map(|link| self.links.status(link, paces)).collect()
    }

    /// Makes the pins that are missing, which others have removed or which could not be made; `false` while one
    /// cannot be. What the kernel refuses is logged.
    pub fn restore_pins(&mut self) -> bool {
        self.links.restore_pins()
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

    /// The reader of what the program tells of hosts, once.
    pub fn excess_events(&mut self) -> Option<ExcessEvents> {
        self.events.take()
    }

    /// The prefix that is all of a host.
    fn host_prefix(&self, host: IpAddr) -> Result<IpNet> {
        prefix::host_prefix(host, self.ipv6_host_prefix())
    }
}
