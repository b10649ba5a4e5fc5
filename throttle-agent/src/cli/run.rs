//! `run`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    agent::{KernelLog, NetnsName},
    config::{AgentKeys, MOST_ENTRIES},
    datapath::HookChoice,
    instance::STATE_DIR,
    links::LinkSpec,
    metrics::{self, MetricsAddress},
    policy::IPV6_HOST_PREFIXES,
};

/// How to run the agent.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  throttle-agent run --iface eth1               hosts are beyond eth1: a router's LAN port
  throttle-agent run --iface wan0:near          hosts are behind this machine
  throttle-agent run --iface 'wg*'              every WireGuard interface, now and later
  throttle-agent run --netns blue --iface eth0 --iface eth1
  throttle-agent run --iface eth1 --ipv6-host-prefix 56
  throttle-agent run --iface eth1 --metrics 9190        on the loopback address of the namespace
  throttle-agent run --config /etc/throttle/default.toml

What is enforced outlives the agent. Started again, it takes over what it finds, and puts in force what
the file says and what was changed since. SIGHUP makes it read the file again. Options override the
file's [agent] table; tables that are taken over keep their room, and the length of IPv6 hosts,
until `detach --all` or a reboot.")]
pub struct RunArgs {
    /// Attach to this interface; hosts are beyond the wire (far) or behind this machine (near)
    ///
    /// A glob such as 'wg*' means every interface whose name matches, whenever it appears; of several
    /// that match one name, the first holds. An interface that vanishes, comes back or is renamed is
    /// followed. One that is named without a glob has to be there at the start.
    #[arg(long, value_name = "IF[:near|:far]")]
    pub iface: Vec<LinkSpec>,
    /// Take links, groups and limits from this file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Save changes made at run time below this directory
    #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
    pub state_dir: PathBuf,
    /// Save nothing, and ignore what is saved
    #[arg(long, conflicts_with = "state_dir")]
    pub ephemeral: bool,
    /// Enter this network namespace first
    ///
    /// A name is one that `ip netns list` shows; what has a slash is a path, such as /proc/PID/ns/net.
    /// The agent stays in the namespace that it entered: when one of this name is removed and made
    /// again, start the agent again.
    #[arg(long, value_name = "NAME|PATH")]
    pub netns: Option<NetnsName>,
    /// Room for at least so many hosts [default: 65536]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ENTRIES)))]
    pub max_hosts: Option<u32>,
    /// Room for so many limits, groups and limited links together [default: 16384]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ENTRIES)))]
    pub max_limits: Option<u32>,
    /// Length of the IPv6 prefix that counts as one host [default: 64]
    #[arg(long, value_name = "BITS",
          value_parser = clap::value_parser!(u8)
              .range(i64::from(*IPV6_HOST_PREFIXES.start())..=i64::from(*IPV6_HOST_PREFIXES.end())))]
    pub ipv6_host_prefix: Option<u8>,
    /// How to attach [default: auto]
    #[arg(long, value_enum, value_name = "HOW")]
    pub hook: Option<HookChoice>,
    /// Serve metrics and a web page, to everyone who can reach this address: there is no authentication
    #[arg(long, value_name = "ADDR:PORT|PORT")]
    pub metrics: Option<MetricsAddress>,
    /// Hosts that have metrics of their own
    #[arg(long, value_name = "N", default_value_t = metrics::TOP_HOSTS,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(metrics::MOST_TOP_HOSTS)))]
    pub metrics_hosts: u32,
    /// Log messages of the eBPF program up to this level
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub kernel_log: Option<KernelLog>,
    /// Stop enforcing when the agent ends
    #[arg(long)]
    pub detach_on_exit: bool,
}

impl RunArgs {
    /// What they say about the agent itself.
    #[must_use]
    pub fn settings(&self) -> AgentKeys {
        AgentKeys {
            metrics: self.metrics,
            ipv6_host_prefix: self.ipv6_host_prefix,
            max_hosts: self.max_hosts,
            max_limits: self.max_limits,
            hook: self.hook,
        }
    }
}
