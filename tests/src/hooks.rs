//! What is attached to an interface, as the kernel tells it and not as the agent does.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aya::programs::tc::TcAttachType;
use aya::programs::{ProgramError, SchedClassifier, loaded_programs};

use crate::netns::Namespace;

/// The two hooks of a link, as tc(8) calls them.
pub const HOOKS: [&str; 2] = ["ingress", "egress"];

/// The ids of the programs attached to `interface` through TCX; none on a kernel without it.
pub fn tcx_programs(namespace: &Namespace, interface: &str) -> Result<Vec<u32>> {
    let query = |hook| -> Result<Vec<u32>> {
        match SchedClassifier::query_tcx(interface, hook) {
            Ok((_, programs)) => Ok(programs.iter().map(|program| program.id()).collect()),
            Err(ProgramError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(libc::EINVAL) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    };
    let both = || -> Result<Vec<u32>> {
        Ok([query(TcAttachType::Ingress)?, query(TcAttachType::Egress)?].concat())
    };
    namespace.run(both)?.with_context(|| format!("asking for the TCX programs of {interface}"))
}

/// The ids of the programs attached to `interface` through the filters of a clsact qdisc.
pub fn clsact_programs(namespace: &Namespace, interface: &str) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for hook in HOOKS {
        let filters = filters(namespace, interface, hook)?;
        let mut words = filters.split_whitespace();
        while words.by_ref().any(|word| word == "id") {
            let id = words.next().context("tc names no id")?;
            ids.push(id.parse().with_context(|| format!("program id {id}"))?);
        }
    }
    Ok(ids)
}

/// The ids of the programs attached to `interface` in either way, those of TCX first.
pub fn programs(namespace: &Namespace, interface: &str) -> Result<Vec<u32>> {
    Ok([tcx_programs(namespace, interface)?, clsact_programs(namespace, interface)?].concat())
}

/// What tc(8) says of the filters at one hook.
pub fn filters(namespace: &Namespace, interface: &str, hook: &str) -> Result<String> {
    namespace.tc(&format!("filter show dev {interface} {hook}"))
}

/// Whether `interface` has a clsact qdisc.
pub fn has_clsact(namespace: &Namespace, interface: &str) -> Result<bool> {
    Ok(namespace.tc(&format!("qdisc show dev {interface}"))?.contains("clsact"))
}

/// Waits until the kernel has freed these programs, which it does soon after the last use; returns those
/// that stay.
pub fn still_loaded(ids: &[u32]) -> Result<Vec<u32>> {
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let loaded =
            loaded_programs().map(|program| Ok(program?.id())).collect::<Result<Vec<_>>>()?;
        let left: Vec<_> = ids.iter().copied().filter(|id| loaded.contains(id)).collect();
        if left.is_empty() || Instant::now() > deadline {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
