//! Which capabilities the agent needs, and which it has.

use std::fs;

use crate::error::{Error, Kind, Result, ResultExt};

/// A capability, by its name and its number in `linux/capability.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Capability {
    name: &'static str,
    bit: u32,
}

const NET_ADMIN: Capability = Capability { name: "CAP_NET_ADMIN", bit: 12 };
const SYS_ADMIN: Capability = Capability { name: "CAP_SYS_ADMIN", bit: 21 };
const PERFMON: Capability = Capability { name: "CAP_PERFMON", bit: 38 };
const BPF: Capability = Capability { name: "CAP_BPF", bit: 39 };

/// Capabilities that a process holds.
#[derive(Debug, Clone, Copy)]
struct Held(u64);

impl Held {
    fn of_this_process() -> Result<Self> {
        let path = "/proc/self/status";
        let status = fs::read_to_string(path).doing(Kind::Failed, || format!("reading {path}"))?;
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let bits = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        bits.map(Self).ok_or_else(|| Error::failed(format_args!("{path} has no CapEff line")))
    }

    fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability.bit != 0
    }

    /// CAP_SYS_ADMIN stands in for the two that were split off from it.
    fn grants(self, capability: Capability) -> bool {
        let split_off = [BPF, PERFMON].contains(&capability);
        self.has(capability) || split_off && self.has(SYS_ADMIN)
    }
}

/// Checks that this process may load the program, attach it, and enter a namespace if it has to.
///
/// # Errors
/// [`Kind::NotPermitted`], naming every capability that is missing.
pub fn check(enters_netns: bool) -> Result<()> {
    check_held(Held::of_this_process()?, enters_netns)
}

fn check_held(held: Held, enters_netns: bool) -> Result<()> {
    let for_netns = enters_netns.then_some(SYS_ADMIN);
    let needed = [BPF, NET_ADMIN, PERFMON].into_iter().chain(for_netns);
    let missing: Vec<_> = needed
        .filter(|&capability| !held.grants(capability))
        .map(|capability| capability.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::not_permitted(format_args!("missing privileges: {}", missing.join(", ")))
        .hint("run it as root, for instance with sudo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(capabilities: &[Capability]) -> Held {
        Held(capabilities.iter().fold(0, |bits, capability| bits | 1 << capability.bit))
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = check_held(held(&[BPF]), true).unwrap_err();
        assert_eq!(error.kind(), Kind::NotPermitted);
        assert_eq!(
            error.to_string(),
            "missing privileges: CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN"
        );
    }

    #[test]
    fn the_three_are_enough_without_a_namespace() {
        assert!(check_held(held(&[BPF, NET_ADMIN, PERFMON]), false).is_ok());
        assert!(check_held(held(&[BPF, NET_ADMIN, PERFMON]), true).is_err());
    }

    #[test]
    fn sys_admin_stands_in_for_bpf_and_perfmon() {
        assert!(check_held(held(&[SYS_ADMIN, NET_ADMIN]), true).is_ok());
        assert!(check_held(held(&[SYS_ADMIN]), false).is_err());
    }

    #[test]
    fn the_capabilities_of_this_process_can_be_read() {
        assert!(Held::of_this_process().is_ok());
    }
}
