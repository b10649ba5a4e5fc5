//! Which capabilities the agent needs, which it has, and which it keeps.

use caps::{
    CapSet,
    Capability::{self, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SETPCAP, CAP_SYS_ADMIN},
    CapsHashSet,
    errors::CapsError,
};
use nix::sys::prctl;

use crate::error::{Error, Kind, Result, ResultExt};

/// What loading the program and attaching it takes.
const TO_START: [Capability; 3] = [CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON];

/// What is kept while the agent runs; the program is loaded by then.
///
/// * `CAP_BPF`: maps are read and written through descriptors that are open, yet where
///   `kernel.unprivileged_bpf_disabled` is set, Linux before 6.4 asks for it at every bpf(2) call.
/// * `CAP_NET_ADMIN`: links come and go. TCX links are made, and clsact qdiscs and filters added
///   and removed, in the network namespace of the agent.
///
/// Files need none: pins, socket, saved state and configuration belong to the agent's own user.
const TO_RUN: [Capability; 2] = [CAP_BPF, CAP_NET_ADMIN];

/// Whether `held` stands for a capability: CAP_SYS_ADMIN stands in for the two that were split off from it.
fn grants(held: &CapsHashSet, capability: Capability) -> bool {
    let split_off = [CAP_BPF, CAP_PERFMON].contains(&capability);
    held.contains(&capability) || split_off && held.contains(&CAP_SYS_ADMIN)
}

/// Checks that this process may load the program, attach it, and enter a namespace if it has to.
///
/// # Errors
/// [`Kind::NotPermitted`], naming every capability that is missing.
pub fn check(enters_netns: bool) -> Result<()> {
    check_held(&read(CapSet::Effective)?, enters_netns)
}

fn check_held(held: &CapsHashSet, enters_netns: bool) -> Result<()> {
    let for_netns = enters_netns.then_some(CAP_SYS_ADMIN);
    let needed = TO_START.into_iter().chain(for_netns);
    let missing: Vec<_> = needed
        .filter(|&capability| !grants(held, capability))
        .map(|capability| capability.to_string())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::not_permitted(format_args!("missing privileges: {}", missing.join(", ")))
        .hint("run it as root, for instance with sudo"))
}

/// Gives up, for good, everything but what a running agent needs.
///
/// Linux keeps capabilities by thread, and a thread passes its own on: this has to be called while there
/// is no other.
///
/// # Errors
/// The kernel refuses, which it has no reason to.
pub(super) fn keep_least() -> Result<()> {
    // Else a program that is started could gain what the bounding set allows.
    prctl::set_no_new_privs().doing(Kind::Failed, || "setting no_new_privs")?;
    let held = read(CapSet::Permitted)?;
    let kept = kept_of(&held);
    // Without CAP_SETPCAP, as under systemd, the set stays as it is, and no_new_privs makes it void.
    if read(CapSet::Effective)?.contains(&CAP_SETPCAP) {
        for capability in read(CapSet::Bounding)?.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *capability)
                .map_err(|error| failed(error, "reducing", CapSet::Bounding))?;
        }
    }
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).map_err(|error| failed(error, "clearing", set))?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(|error| failed(error, "reducing", set))?;
    }
    tracing::debug!(?kept, "other capabilities are given up");
    Ok(())
}

/// What is kept of `held`.
fn kept_of(held: &CapsHashSet) -> CapsHashSet {
    let kept = TO_RUN.into_iter().map(|wanted| {
        if held.contains(&wanted) || !grants(held, wanted) { wanted } else { CAP_SYS_ADMIN }
    });
    kept.filter(|capability| held.contains(capability)).collect()
}

fn read(set: CapSet) -> Result<CapsHashSet> {
    caps::read(None, set).map_err(|error| failed(error, "reading", set))
}

fn failed(error: CapsError, doing: &str, set: CapSet) -> Error {
    Error::from(anyhow::Error::new(error))
        .context(format_args!("{doing} the {} capabilities of this process", name(set)))
}

fn name(set: CapSet) -> &'static str {
    match set {
        CapSet::Ambient => "ambient",
        CapSet::Bounding => "bounding",
        CapSet::Effective => "effective",
        CapSet::Inheritable => "inheritable",
        CapSet::Permitted => "permitted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held<const N: usize>(capabilities: [Capability; N]) -> CapsHashSet {
        capabilities.into()
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = check_held(&held([CAP_BPF]), true).unwrap_err();
        assert_eq!(error.kind(), Kind::NotPermitted);
        assert_eq!(
            error.to_string(),
            "missing privileges: CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN"
        );
    }

    #[test]
    fn the_three_are_enough_without_a_namespace() {
        assert!(check_held(&held(TO_START), false).is_ok());
        assert!(check_held(&held(TO_START), true).is_err());
    }

    #[test]
    fn sys_admin_stands_in_for_bpf_and_perfmon() {
        assert!(check_held(&held([CAP_SYS_ADMIN, CAP_NET_ADMIN]), true).is_ok());
        assert!(check_held(&held([CAP_SYS_ADMIN]), false).is_err());
    }

    #[test]
    fn no_more_is_kept_than_needed_and_held() {
        assert_eq!(kept_of(&caps::all()), held([CAP_BPF, CAP_NET_ADMIN]));
        assert_eq!(kept_of(&held(TO_START)), held([CAP_BPF, CAP_NET_ADMIN]));
        let stands_in = held([CAP_SYS_ADMIN, CAP_NET_ADMIN]);
        assert_eq!(kept_of(&stands_in), stands_in);
    }

    #[test]
    fn the_capabilities_of_this_process_can_be_read() {
        assert!(read(CapSet::Effective).is_ok());
    }
}
