//! Opens the datapath, new or with the pins of an earlier agent, and removes it.

use std::os::fd::AsFd;

use aya::{
    Ebpf, Pod,
    maps::{Array, LpmTrie, Map, MapData, PerCpuArray},
};
use throttle_common::{
    abi::{Config, Link, Policy},
    host_table,
};

use super::{
    Datapath, Options,
    carry::{self, Older},
    config::ConfigMap,
    counters::CounterTable,
    events::ExcessEvents,
    hooks,
    host_reader::HostReader,
    hosts::HostTable,
    limit_use::LimitUseReader,
    limits::LimitTable,
    links::LinkTable,
    lock,
    mapped::{Mapped, Shared},
    netns, object,
    pins::Pins,
    state::HostSource,
};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

impl Datapath {
    /// Loads the program into maps that are new, or pinned by an earlier agent of the instance.
    ///
    /// An adopted instance keeps its limits, hosts, counters and links; each link gets the new
    /// program in one step.
    ///
    /// # Errors
    /// Privileges are missing, the kernel cannot do it, or the pins do not fit.
    pub fn open(options: &Options) -> Result<Self> {
        let older = Older::find(options)?;
        let pins = Pins::create(options)?;
        pins.check_maps()?;
        let is_new = older.is_none() && !pins.path("CONFIG").exists();
        let place = |name: &str| {
            let older = older.as_ref().and_then(|older| older.path(name));
            older.unwrap_or_else(|| pins.path(name))
        };
        let mut ebpf = object::load(options, place).inspect_err(|_| {
            if is_new && let Err(error) = pins.remove() {
                tracing::warn!(%error, "removing what a failed start has left");
            }
        })?;
        if let Some(older) = &older {
            older.move_pins(&pins)?;
        }
        pins.names()?.iter().try_for_each(|name| pins.hold(name))?;
        let cookie = netns::cookie()?;
        let mut config = config(&mut ebpf)?;
        let adopted = config.policy().generation != 0;
        let sets = max_entries(&ebpf, "HOST_SETS")?;
        config.initialise(cookie, sets, options.ipv6_host_prefix)?;
        fault::after("filling in the configuration");
        note_ipv6_host_prefix(config.ipv6_host_prefix(), options.ipv6_host_prefix);
        let mut links = LinkTable::new(array(&mut ebpf, "LINKS")?, pins.clone())?;
        if config.get().netns_cookie != cookie {
            check_links_are_gone(&links, &pins, options)?;
            config.set_netns_cookie(cookie);
        }
        let policy = config.policy();
        let limits = limits(&mut ebpf, &links, &config, options)?;
        // Hosts bound while an earlier agent was killed half-way look their limit up anew.
        config.switch(Policy { has_peers: limits.has_peers(), ..policy });
        let hosts = hosts(&mut ebpf, config.get(), options)?;
        let limit_use = limit_use(&ebpf)?;
        let counters = CounterTable::new(
            per_cpu(&mut ebpf, "REASONS")?,
            per_cpu(&mut ebpf, "LIMIT_USE")?,
            limit_use,
        );
        let overflow = array(&mut ebpf, "OVERFLOW")?;
        let events = Some(ExcessEvents::new(&mut ebpf)?);
        links.adopt(&mut ebpf)?;
        fault::after("adopting the links");
        older.map_or(Ok(()), |older| older.finish(hosts.reader().directions()))?;
        let hook = options.hook;
        let mut datapath = Self {
            ebpf,
            config,
            links,
            limits,
            hosts,
            counters,
            events,
            overflow,
            hook,
            adopted,
            turn: 0,
        };
        datapath.forget_limits_of_lost_links();
        datapath.forget_rows_of_unlimited_links()?;
        datapath.check_pacing()?;
        Ok(datapath)
    }

    /// Detaches every link of the instance and removes its pins. The caller has the
    /// [`InstanceLock`](super::InstanceLock).
    ///
    /// `false` when there is nothing of the instance.
    ///
    /// # Errors
    /// Privileges are missing, or the kernel refuses.
    pub fn remove(options: &Options) -> Result<bool> {
        let mut found = false;
        for pins in carry::places(options)?.into_iter().filter(Pins::exist) {
            detach(&pins, options)?;
            fault::after("detaching the links");
            pins.remove()?;
            found = true;
        }
        carry::check_versions(options)?;
        if found {
            lock::forget(options);
        }
        Ok(found)
    }
}

/// Detaches every link of the pins.
fn detach(pins: &Pins, options: &Options) -> Result<()> {
    pins.check_maps()?;
    if !pins.path("LINKS").exists() || !pins.path("CONFIG").exists() {
        return Ok(());
    }
    let links = Array::try_from(Map::Array(pinned(pins, "LINKS")?))
        .doing(Kind::Failed, || "opening map LINKS")?;
    let mut links = LinkTable::new(links, pins.clone())?;
    let config = ConfigMap::new(&pinned(pins, "CONFIG")?)?;
    if config.get().netns_cookie != netns::cookie()? {
        check_links_can_be_reached(&links, pins, options)?;
    }
    links.detach_all()
}

/// Refuses to take pins over whose links work in another network namespace.
fn check_links_are_gone(links: &LinkTable, pins: &Pins, options: &Options) -> Result<()> {
    // A clsact filter cannot be seen from another namespace.
    let in_use = |link: &Link| is_clsact(link) || hooks::is_alive(link.ifindex, pins);
    if !links.iter().any(in_use) {
        return Ok(());
    }
    let instance = &options.instance;
    Err(Error::failed(format!(
        "adopting instance {instance}: its links are in another network namespace"
    ))
    .hint("use another `--instance`, or the same `--netns` as before, or `detach --all` it first"))
}

/// Refuses to remove pins of clsact filters from a network namespace in which they are not.
fn check_links_can_be_reached(links: &LinkTable, pins: &Pins, options: &Options) -> Result<()> {
    if !links.iter().any(is_clsact) {
        return Ok(());
    }
    let (instance, directory) = (&options.instance, pins.directory().display());
    Err(Error::failed(format!(
        "detaching instance {instance}: its clsact filters are in another network namespace"
    ))
    .hint(format!("pass the `--netns` it runs in; if that is gone, remove {directory}")))
}

fn is_clsact(link: &Link) -> bool {
    link.flags & Link::CLSACT != 0
}

fn pinned(pins: &Pins, name: &str) -> Result<MapData> {
    let path = pins.path(name);
    MapData::from_pin(&path).doing(Kind::Failed, || format!("opening {}", path.display()))
}

fn limits(
    ebpf: &mut Ebpf,
    links: &LinkTable,
    config: &ConfigMap,
    options: &Options,
) -> Result<LimitTable> {
    let (bank, ipv6_bits) = (config.policy().bank, config.ipv6_host_prefix());
    let prefixes = LpmTrie::try_from(take(ebpf, "PREFIXES")?)
        .doing(Kind::Failed, || "opening map PREFIXES")?;
    let (limits, common) = (mapped(ebpf, "LIMITS")?, mapped(ebpf, "SHARED")?);
    let table = LimitTable::adopt(prefixes, limits, common, links.iter(), bank, ipv6_bits)?;
    note_capacity("limits", table.capacity() as u32, options.max_limits);
    Ok(table)
}

fn hosts(ebpf: &mut Ebpf, config: &Config, options: &Options) -> Result<HostTable> {
    let (sets, names) = (mapped(ebpf, "HOST_SETS")?, mapped(ebpf, "HOST_NAMES")?);
    let wanted = host_table::sets_for(options.max_hosts) * host_table::WAYS;
    let table = HostTable::new(HostReader::new(config, sets, mapped(ebpf, "HOSTS")?, names));
    note_capacity("hosts", table.reader().ways(), wanted);
    Ok(table)
}

/// The counters of limits, for reading through a descriptor of their own.
fn limit_use(ebpf: &Ebpf) -> Result<LimitUseReader> {
    let name = "LIMIT_USE";
    let doing = || format!("opening map {name} for reading");
    let Some(Map::PerCpuArray(map)) = ebpf.map(name) else { return Err(missing(name)) };
    let descriptor = map.fd().as_fd().try_clone_to_owned().doing(Kind::Failed, doing)?;
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| error).doing(Kind::Failed, doing)?;
    Ok(LimitUseReader::new(descriptor, cpus))
}

/// Says so when adopted hosts are not of the length that was asked for.
fn note_ipv6_host_prefix(found: u8, asked: u8) {
    if found != asked {
        tracing::warn!("adopted IPv6 hosts stay /{found}s; /{asked}s were asked for");
    }
}

/// Says so when an adopted table does not have the capacity that was asked for.
fn note_capacity(what: &str, found: u32, asked: u32) {
    if found != asked {
        tracing::warn!(
            "the adopted table keeps its room for {found} {what}; {asked} were asked for"
        );
    }
}

/// Entries of a map as the kernel has it: a pinned one keeps its own.
fn max_entries(ebpf: &Ebpf, name: &str) -> Result<u32> {
    let Some(Map::Array(map) | Map::LpmTrie(map)) = ebpf.map(name) else {
        return Err(missing(name));
    };
    Ok(map.info().doing(Kind::Failed, || format!("reading map {name}"))?.max_entries())
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::failed(format!("the eBPF object has no map {name} of the expected type"))
}

fn config(ebpf: &mut Ebpf) -> Result<ConfigMap> {
    ConfigMap::new(&array_data(ebpf, "CONFIG")?)
}

fn mapped<T: Shared>(ebpf: &mut Ebpf, name: &str) -> Result<Mapped<T>> {
    Mapped::new(&array_data(ebpf, name)?, name)
}

fn array_data(ebpf: &mut Ebpf, name: &str) -> Result<MapData> {
    if let Map::Array(map) = take(ebpf, name)? { Ok(map) } else { Err(missing(name)) }
}

fn array<V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<Array<MapData, V>> {
    Array::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
}

fn per_cpu<V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<PerCpuArray<MapData, V>> {
    PerCpuArray::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
}
