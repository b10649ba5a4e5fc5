//! What an agent takes of memory: its own, and that of its maps in the kernel.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::agent::Agent;
use crate::{bpf, leftovers};

/// Memory at one instant, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// What is resident of the process (`VmRSS`), mapped maps with it.
    pub resident_bytes: u64,
    /// The part that is the process's alone (`RssAnon`).
    pub anonymous_bytes: u64,
    /// All pinned maps.
    pub map_bytes: u64,
    /// What is resident of the process without the pages of maps that it has mapped.
    pub beside_maps_bytes: u64,
}

/// How the kernel names the memory of a mapped map.
const MAPPED_MAP: &str = "anon_inode:bpf-map";

impl Footprint {
    /// Reads it.
    pub fn of(agent: &Agent) -> Result<Self> {
        let process = agent.process_id().context("the agent is not running")?;
        let read = |name: &str| {
            let path = format!("/proc/{process}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        let status = read("status")?;
        let bytes = |name| kibibytes(&status, name).with_context(|| format!("{name} in {status}"));
        Ok(Self {
            resident_bytes: bytes("VmRSS:")? << 10,
            anonymous_bytes: bytes("RssAnon:")? << 10,
            map_bytes: map_bytes(agent)?,
            beside_maps_bytes: beside_maps(&read("smaps")?).context("reading its mappings")? << 10,
        })
    }

    /// The larger of both, part by part.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self {
            resident_bytes: self.resident_bytes.max(other.resident_bytes),
            anonymous_bytes: self.anonymous_bytes.max(other.anonymous_bytes),
            map_bytes: self.map_bytes.max(other.map_bytes),
            beside_maps_bytes: self.beside_maps_bytes.max(other.beside_maps_bytes),
        }
    }
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Resident kibibytes of all mappings that are no maps, of a process's `smaps`.
fn beside_maps(smaps: &str) -> Option<u64> {
    let (mut is_map, mut sum) = (false, 0);
    for line in smaps.lines() {
        if line.starts_with(|first: char| first.is_ascii_hexdigit() && !first.is_uppercase()) {
            is_map = line.ends_with(MAPPED_MAP);
        } else if line.starts_with("Rss:") && !is_map {
            sum += kibibytes(line, "Rss:")?;
        }
    }
    Some(sum)
}

fn map_bytes(agent: &Agent) -> Result<u64> {
    let mut sum = 0;
    for directory in leftovers::of_instance(agent.instance()).iter().filter(|path| path.is_dir()) {
        let pins = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
        for pin in pins.collect::<Result<Vec<PathBuf>>>()? {
            sum += bpf::pinned_bytes(&pin)?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::{beside_maps, kibibytes};

    #[test]
    fn memory_is_found_by_name() {
        let status = "VmRSS:\t   1234 kB\nRssAnon:\t      56 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(1234));
        assert_eq!(kibibytes(status, "RssAnon:"), Some(56));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }

    #[test]
    fn pages_of_mapped_maps_are_not_the_processs_own() {
        let smaps = "7f00-7f10 rw-s 00000000 00:0f 12 anon_inode:bpf-map\nRss:  100 kB\n\
            7f20-7f30 rw-p 00000000 00:00 0\nSize: 9 kB\nRss:  7 kB\n\
            7f40-7f50 r-xp 00000000 00:00 0  /usr/bin/agent\nRss:  5 kB\n";
        assert_eq!(beside_maps(smaps), Some(12));
    }
}
