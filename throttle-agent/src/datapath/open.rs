//! Opens the datapath, new or with the pins of an earlier agent, and removes it.

use std::os::fd::AsFd;

use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, LpmTrie, Map, MapData, PerCpuArray},
};
use throttle_common::abi::Link;

use super::{
    Datapath, Options, config::ConfigMap, counters::CounterTable, hooks, hosts::HostTable,
    limits::LimitTable, links::LinkTable, netns, object, pins::Pins,
};
use crate::error::{Error, Kind, Result, ResultExt};

impl Datapath {
    /// Loads the program into maps that are new, or pinned by an earlier agent of the instance.
    ///
    /// An adopted instance keeps its limits, hosts, counters and links; each link gets the new
    /// program in one step.
    ///
    /// # Errors
    /// Privileges are missing, the kernel cannot do it, or the pins do not fit.
    pub fn open(options: &Options) -> Result<Self> {
        let pins = Pins::create(options)?;
        pins.check_maps()?;
        let is_new = !pins.path("CONFIG").exists();
        let mut ebpf = object::load(options, &pins).inspect_err(|_| {
            if is_new && let Err(error) = pins.remove() {
                tracing::warn!(%error, "removing what a failed start has left");
            }
        })?;
        let cookie = netns::cookie()?;
        let mut config = config(&mut ebpf)?;
        let adopted = config.generation() != 0;
        config.initialise(cookie)?;
        let mut links = LinkTable::new(hash(&mut ebpf, "LINKS")?, pins.clone());
        if config.netns_cookie() != cookie {
            check_links_are_gone(&links, &pins, options)?;
            config.set_netns_cookie(cookie);
        }
        // Hosts bound while an earlier agent was killed half-way look their limit up anew.
        config.switch();
        let limits = limits(&mut ebpf)?;
        let hosts = hosts(&mut ebpf)?;
        let counters = CounterTable::new(
            per_cpu(&mut ebpf, "REASONS")?,
            per_cpu(&mut ebpf, "LIMIT_USE")?,
            array(&mut ebpf, "SHARED")?,
        );
        links.adopt(&mut ebpf)?;
        let hook = options.hook;
        Ok(Self { ebpf, config, links, limits, hosts, counters, hook, adopted })
    }

    /// Detaches every link of the instance and removes its pins, with or without an agent running.
    ///
    /// `false` when there is nothing of the instance.
    ///
    /// # Errors
    /// Privileges are missing, or the kernel refuses.
    pub fn remove(options: &Options) -> Result<bool> {
        let pins = Pins::of(options);
        if !pins.exist() {
            return Ok(false);
        }
        let path = pins.path("LINKS");
        if path.exists() {
            pins.check_maps()?;
            let map = MapData::from_pin(&path)
                .doing(Kind::Failed, || format!("opening {}", path.display()))?;
            let map = HashMap::try_from(Map::HashMap(map))
                .doing(Kind::Failed, || format!("opening {}", path.display()))?;
            let mut links = LinkTable::new(map, pins.clone());
            for (index, link) in links.entries()? {
                links.drop_link(index, link)?;
            }
            links.remove_orphans()?;
        }
        pins.remove()?;
        Ok(true)
    }
}

/// Refuses to take pins over whose links work in another network namespace.
fn check_links_are_gone(links: &LinkTable, pins: &Pins, options: &Options) -> Result<()> {
    let in_use = links.entries()?.iter().any(|(index, link)| {
        // A clsact filter cannot be seen from another namespace.
        link.flags & Link::CLSACT != 0 || hooks::is_alive(*index, pins)
    });
    if !in_use {
        return Ok(());
    }
    let instance = &options.instance;
    Err(Error::failed(format!(
        "adopting instance {instance}: its links are in another network namespace"
    ))
    .hint(
        "use another `--instance`, the same `--netns` as before, or `detach --all` it there first",
    ))
}

fn limits(ebpf: &mut Ebpf) -> Result<LimitTable> {
    let capacity = max_entries(ebpf, "PREFIXES")?;
    let slots = max_entries(ebpf, "LIMITS")?;
    let prefixes = LpmTrie::try_from(take(ebpf, "PREFIXES")?)
        .doing(Kind::Failed, || "opening map PREFIXES")?;
    LimitTable::adopt(prefixes, array(ebpf, "LIMITS")?, capacity, slots)
}

fn hosts(ebpf: &mut Ebpf) -> Result<HostTable> {
    let capacity = max_entries(ebpf, "HOSTS")?;
    let Map::HashMap(map) = take(ebpf, "HOSTS")? else {
        return Err(missing("HOSTS"));
    };
    let doing = || "opening map HOSTS";
    let fd = map.fd().as_fd().try_clone_to_owned().doing(Kind::Failed, doing)?;
    let map = HashMap::try_from(Map::HashMap(map)).doing(Kind::Failed, doing)?;
    Ok(HostTable::new(map, fd, capacity))
}

/// Entries of a map as the kernel has it: a pinned one keeps its own.
fn max_entries(ebpf: &Ebpf, name: &str) -> Result<u32> {
    let map = ebpf.map(name).ok_or_else(|| missing(name))?;
    let id = match map {
        Map::Array(map) | Map::HashMap(map) | Map::LpmTrie(map) => map.info(),
        _ => return Err(missing(name)),
    };
    Ok(id.doing(Kind::Failed, || format!("reading map {name}"))?.max_entries())
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::failed(format!("the eBPF object has no map {name} of the expected type"))
}

fn config(ebpf: &mut Ebpf) -> Result<ConfigMap> {
    match take(ebpf, "CONFIG")? {
        Map::Array(map) => ConfigMap::new(&map),
        _ => Err(missing("CONFIG")),
    }
}

fn array<V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<Array<MapData, V>> {
    Array::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
}

fn per_cpu<V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<PerCpuArray<MapData, V>> {
    PerCpuArray::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
}

fn hash<K: Pod, V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<HashMap<MapData, K, V>> {
    HashMap::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
}
