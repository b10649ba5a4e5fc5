//! From what was typed after `run` to a program that enforces.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use throttle_common::host_table::sets_for;

use super::{Engine, Kernel, KernelLog, NetnsName, change};
use crate::{
    config::{AgentKeys, Config},
    datapath::{Datapath, InstanceLock, LinkStatus, Options},
    error::{Error, Result},
    fault,
    instance::Instance,
    links::{LinkSpec, spec_for},
    netlink,
    saved::{Origin, Store},
    telemetry::{hook_name, side_name},
};

/// What an agent is started with.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The instance to serve.
    pub instance: Instance,
    /// Directory of the control socket.
    pub run_dir: PathBuf,
    /// Directory above all pins.
    pub pin_root: PathBuf,
    /// Interfaces to attach to, beside those of the file.
    pub links: Vec<LinkSpec>,
    /// The configuration file, and where it is.
    pub config: Option<(PathBuf, Config)>,
    /// Directory above the saved changes of all instances; `None` saves nothing.
    pub state_dir: Option<PathBuf>,
    /// What file and command line say about the agent itself.
    pub settings: AgentKeys,
    /// Network namespace to enter first.
    pub netns: Option<NetnsName>,
    /// Hosts that have metrics of their own.
    pub metrics_hosts: u32,
    /// Messages of the eBPF program to log.
    pub kernel_log: Option<KernelLog>,
    /// Whether to detach everything at the end.
    pub detach_on_exit: bool,
    /// How much of its own doings the agent logs.
    pub verbose: u8,
    /// When to colour the log.
    pub color: clap::ColorChoice,
}

impl RunOptions {
    /// What the datapath is opened with.
    #[must_use]
    pub fn datapath(&self) -> Options {
        Options {
            instance: self.instance.name().to_owned(),
            pin_root: self.pin_root.clone(),
            hook: self.settings.hook(),
            max_hosts: self.settings.max_hosts(),
            max_limits: self.settings.max_limits(),
            ipv6_host_prefix: self.settings.ipv6_host_prefix(),
            kernel_log: self.kernel_log.map(Into::into),
        }
    }
}

/// What is saved of the instance, and the file.
pub(super) fn store(options: &RunOptions) -> Result<Store> {
    let (path, config) = options.config.as_ref().map(|(path, config)| (path, config)).unzip();
    let origin = Origin {
        config: path.cloned(),
        typed_links: options.links.clone(),
        settings: options.settings,
    };
    let directory = options.state_dir.as_ref().map(|root| root.join(options.instance.name()));
    Store::open(origin, config, directory.as_deref())
}

/// Checks every name before anything is attached; says which interfaces are waited for.
pub(super) fn check_links(links: &[LinkSpec]) -> Result<()> {
    let mut seen = HashSet::new();
    if let Some(twice) = links.iter().find(|link| !seen.insert(link.pattern.as_str())) {
        return Err(Error::usage(format_args!("--iface {} is given twice", twice.pattern)));
    }
    let present: Vec<_> =
        netlink::interfaces()?.into_iter().map(|interface| interface.name).collect();
    let is_present = |name: &&str| present.iter().any(|found| found == name);
    if let Some(missing) =
        links.iter().filter_map(LinkSpec::required).find(|name| !is_present(name))
    {
        return Err(Error::failed(format_args!("no such interface: {missing}"))
            .hint(format_args!("there are {}", present.join(", "))));
    }
    let is_absent = |link: &&LinkSpec| !present.iter().any(|name| link.pattern.matches(name));
    for link in links.iter().filter(is_absent) {
        tracing::info!(interface = %link.pattern, "no such interface yet: waiting for it");
    }
    Ok(())
}

/// Opens the datapath, attaches all links and puts the desired policy in force, or leaves everything as it
/// was; returns the links that are new as well.
pub(super) fn open(
    options: &RunOptions,
    store: &mut Store,
    lock: &Arc<InstanceLock>,
) -> Result<(Kernel, Vec<LinkStatus>)> {
    let datapath = Datapath::open(&options.datapath())?;
    fault::after("opening the datapath");
    store.set_settings(in_force(options.settings, &datapath));
    let mut kernel = Kernel { datapath, options: options.datapath(), lock: Arc::clone(lock) };
    let before = HashSet::from_iter(kernel.attached());
    let config = options.config.as_ref().map(|(_, config)| config);
    let begun = attach_all(&mut kernel.datapath, &store.specs(), &before)
        .and_then(|new| change::begin(store, config, &mut kernel).map(|()| new))
        .and_then(|new| kernel.datapath.take_over().map(|()| new));
    let error = match begun {
        Ok(new) => return Ok((kernel, new)),
        Err(error) => error,
    };
    if let Err(second) = undo(kernel, &before) {
        tracing::warn!("undoing a failed start: {second}");
    }
    Err(error)
}

/// The settings, with what tables have in place of that where an earlier agent has made them.
fn in_force(asked: AgentKeys, datapath: &Datapath) -> AgentKeys {
    let (max_hosts, max_limits) = (datapath.max_hosts(), datapath.max_limits());
    let bits = datapath.ipv6_host_prefix();
    let has_bits = asked.ipv6_host_prefix() == bits;
    let has_limits = asked.max_limits() == max_limits;
    let has_hosts = sets_for(asked.max_hosts()) == sets_for(max_hosts);
    AgentKeys {
        ipv6_host_prefix: if has_bits { asked.ipv6_host_prefix } else { Some(bits) },
        max_hosts: if has_hosts { asked.max_hosts } else { Some(max_hosts) },
        max_limits: if has_limits { asked.max_limits } else { Some(max_limits) },
        ..asked
    }
}

/// Detaches what was attached since, and removes what was not there before.
fn undo(mut kernel: Kernel, before: &HashSet<String>) -> Result<()> {
    for interface in kernel.attached() {
        if !before.contains(&interface) {
            kernel.detach(&interface)?;
        }
    }
    if kernel.datapath.adopted() {
        return Ok(());
    }
    let Kernel { datapath, options, .. } = kernel;
    drop(datapath);
    Datapath::remove_pins(&options).map(drop)
}

/// Attaches to every interface that is specified; an earlier agent's link keeps its limit.
fn attach_all(
    datapath: &mut Datapath,
    links: &[LinkSpec],
    before: &HashSet<String>,
) -> Result<Vec<LinkStatus>> {
    let interfaces = netlink::interfaces()?;
    let specified =
        interfaces.iter().filter_map(|found| Some((found, spec_for(links, &found.name)?)));
    let mut new = Vec::new();
    for (found, spec) in specified {
        let interface = found.name.as_str();
        if let Some(words) = spec.passes_by(found.hardware_type) {
            tracing::debug!(interface, "passed by: {words}");
            continue;
        }
        let link = datapath.attach(interface, spec.side)?;
        if !before.contains(interface) {
            if let Some(limit) = &spec.limit {
                datapath.set_link_limit(interface, limit)?;
            }
            new.push(link.clone());
        }
        tracing::info!(
            interface,
            side = side_name(link.side),
            hook = hook_name(link.hook),
            "attached"
        );
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn link(text: &str) -> Result<LinkSpec, String> {
        text.parse()
    }

    #[test]
    fn a_missing_interface_is_named_along_with_those_there_are() {
        let error = check_links(&[link("lo").unwrap(), link("nosuch0").unwrap()]).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert_eq!(error.to_string(), "no such interface: nosuch0");
        assert!(error.hint_text().unwrap().contains("lo"));
    }

    #[test]
    fn globs_and_interfaces_that_may_be_absent_are_waited_for() {
        let absent = LinkSpec { may_be_absent: true, ..link("nosuch0").unwrap() };
        check_links(&[link("nosuch*").unwrap(), absent]).unwrap();
    }

    #[test]
    fn an_interface_is_attached_once() {
        let error = check_links(&[link("lo:far").unwrap(), link("lo:near").unwrap()]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(error.to_string(), "--iface lo is given twice");
    }
}
