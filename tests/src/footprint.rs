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
}

impl Footprint {
    /// Reads it.
    pub fn of(agent: &Agent) -> Result<Self> {
        let process = agent.process_id().context("the agent is not running")?;
        let path = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let bytes = |name| kibibytes(&status, name).with_context(|| format!("{name} in {path}"));
        Ok(Self {
            resident_bytes: bytes("VmRSS:")? << 10,
            anonymous_bytes: bytes("RssAnon:")? << 10,
            map_bytes: map_bytes(agent)?,
        })
    }

    /// The larger of both, part by part.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self {
            resident_bytes: self.resident_bytes.max(other.resident_bytes),
            anonymous_bytes: self.anonymous_bytes.max(other.anonymous_bytes),
            map_bytes: self.map_bytes.max(other.map_bytes),
        }
    }
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
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
    use super::kibibytes;

    #[test]
    fn memory_is_found_by_name() {
        let status = "VmRSS:\t   1234 kB\nRssAnon:\t      56 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(1234));
        assert_eq!(kibibytes(status, "RssAnon:"), Some(56));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }
}
