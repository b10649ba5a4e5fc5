//! What the loaded object's maps are to the agent: each is taken once, as the table that knows what is in it.

use std::os::fd::AsFd;

use aya::{
    Ebpf, Pod,
    maps::{Array, LpmTrie, Map, MapData, PerCpuArray},
};
use throttle_common::{abi::Config, host_table};

use super::{
    Options,
    config::ConfigMap,
    counters::CounterTable,
    host_reader::HostReader,
    hosts::HostTable,
    limit_use::LimitUseReader,
    limits::LimitTable,
    links::LinkTable,
    mapped::{Mapped, Shared},
    state::HostSource,
};
use crate::error::{Error, Kind, Result, ResultExt};

/// The configuration.
pub(super) fn config(ebpf: &mut Ebpf) -> Result<ConfigMap> {
    ConfigMap::new(&array_data(ebpf, "CONFIG")?)
}

/// Limits of prefixes, groups and links, with what an earlier agent has left in force.
pub(super) fn limits(
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

/// The host table.
pub(super) fn hosts(ebpf: &mut Ebpf, config: &Config, options: &Options) -> Result<HostTable> {
    let (sets, names) = (mapped(ebpf, "HOST_SETS")?, mapped(ebpf, "HOST_NAMES")?);
    let wanted = host_table::sets_for(options.max_hosts) * host_table::WAYS;
    let table = HostTable::new(HostReader::new(config, sets, mapped(ebpf, "HOSTS")?, names));
    note_capacity("hosts", table.reader().ways(), wanted);
    Ok(table)
}

/// All counters but those of hosts.
pub(super) fn counters(ebpf: &mut Ebpf) -> Result<CounterTable> {
    let limit_use = limit_use(ebpf)?;
    Ok(CounterTable::new(per_cpu(ebpf, "REASONS")?, per_cpu(ebpf, "LIMIT_USE")?, limit_use))
}

/// An array that is read and written by system calls.
pub(super) fn array<V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<Array<MapData, V>> {
    Array::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
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

/// Says so when an adopted table does not have the capacity that was asked for.
fn note_capacity(what: &str, found: u32, asked: u32) {
    if found != asked {
        tracing::warn!(
            "the adopted table keeps its room for {found} {what}; {asked} were asked for"
        );
    }
}

/// Number of sets of the host table as the kernel has it: a pinned one keeps its own.
pub(super) fn host_sets(ebpf: &Ebpf) -> Result<u32> {
    let name = "HOST_SETS";
    let Some(Map::Array(map)) = ebpf.map(name) else { return Err(missing(name)) };
    Ok(map.info().doing(Kind::Failed, || format!("reading map {name}"))?.max_entries())
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::failed(format!("the eBPF object has no map {name} of the expected type"))
}

fn mapped<T: Shared>(ebpf: &mut Ebpf, name: &str) -> Result<Mapped<T>> {
    Mapped::new(&array_data(ebpf, name)?, name)
}

fn array_data(ebpf: &mut Ebpf, name: &str) -> Result<MapData> {
    if let Map::Array(map) = take(ebpf, name)? { Ok(map) } else { Err(missing(name)) }
}

fn per_cpu<V: Pod>(ebpf: &mut Ebpf, name: &str) -> Result<PerCpuArray<MapData, V>> {
    PerCpuArray::try_from(take(ebpf, name)?).doing(Kind::Failed, || format!("opening map {name}"))
}
