//! Filters of the clsact qdisc, for kernels without TCX.
//!
//! A filter has a fixed priority, and a handle that says whose it is: a restarted agent finds and replaces its own,
//! even without pins, and several instances have theirs on one interface. All of one priority run, one after the
//! other, as long as none ends the chain.

use std::{mem, pin::pin};

use aya::programs::{
    Link as _, ProgramError, SchedClassifier, TcError,
    tc::{
        NlOptions, SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions, TcHandle,
        qdisc_add_clsact,
    },
};
use futures_util::TryStreamExt;
use rtnetlink::Handle;
use throttle_common::abi::Hook;

use super::{HOOKS, attach_type, hook_name};
use crate::{
    datapath::{
        interface::Interface,
        object::program_name,
        refusal::{errno, refused},
        state::Position,
    },
    error::{Kind, Result, ResultExt},
    fault, netlink,
};

/// Runs early, so that a filter of others that ends the chain cannot hide this one.
const PRIORITY: u16 = 10;
/// Set in every handle.
const OURS: u32 = 1 << 31;
/// Set in a handle where an agent has made the qdisc, which the last one to leave removes.
const MADE_QDISC: u32 = 1;
/// The handle that agents gave to every filter before it told whose it is.
const OLDER: u32 = 0x7468;

/// Makes sure that the interface has a clsact qdisc; `true` when it is ours: it had none, or one that an agent has
/// made.
pub(super) fn make_qdisc(interface: &Interface) -> Result<bool> {
    let doing = || format!("adding a clsact qdisc to {}", interface.name);
    fault::before("adding a qdisc").map_err(|error| refused(error, doing()))?;
    match qdisc_add_clsact(&interface.name) {
        Ok(()) => Ok(true),
        Err(error) if is_present(&error) => is_qdisc_ours(interface),
        Err(error) => Err(refused(error, doing())),
    }
}

/// Whether a filter says that an agent has made the qdisc.
pub(super) fn is_qdisc_ours(interface: &Interface) -> Result<bool> {
    let is_ours = |handle: &u32| handle & OURS != 0 && handle & MADE_QDISC != 0;
    HOOKS.into_iter().try_fold(false, |is_found, hook| {
        Ok(is_found || filters(interface.index, hook)?.iter().any(is_ours))
    })
}

/// Replaces the program of the instance's filter, or adds the filter.
pub(super) fn attach(
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
    (instance, made_qdisc): (&str, bool),
) -> Result<()> {
    let doing = || attaching(interface, hook);
    if let Some(handle) = find(interface.index, hook, instance)? {
        fault::before("replacing a program").map_err(|error| refused(error, doing()))?;
        match program.attach_to_link(existing(interface, hook, handle)?) {
            Ok(id) => return keep(program, id),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(refused(error, doing())),
        }
    }
    // Others may have removed it.
    make_qdisc(interface)?;
    fault::before("adding a filter").map_err(|error| refused(error, doing()))?;
    let handle = of_instance(instance) | if made_qdisc { MADE_QDISC } else { 0 };
    let options = NlOptions { priority: PRIORITY, handle: handle.into(), classid: None };
    let options = TcAttachOptions::Netlink(options);
    let added = program.attach_with_options(&interface.name, attach_type(hook), options);
    let id = added.map_err(|error| {
        let error = refused(error, doing());
        if is_taken(interface.index, hook) {
            return error.hint(format!(
                "filters of others have priority {PRIORITY} there, see `tc filter show dev {} {}`; give them another",
                interface.name,
                hook_name(hook)
            ));
        }
        error
    })?;
    keep(program, id)
}

/// Leaves the filter to itself: it outlives the agent, and dropping its link would detach it.
fn keep(program: &mut SchedClassifier, id: SchedClassifierLinkId) -> Result<()> {
    let link = program.take_link(id).doing(Kind::Failed, || "keeping a clsact filter")?;
    mem::forget(link);
    Ok(())
}

fn attaching(interface: &Interface, hook: Hook) -> String {
    format!(
        "attaching to {} of {} as clsact filter with priority {PRIORITY}",
        hook_name(hook),
        interface.name,
    )
}

/// Where the instance's filter is; `None` when it is gone.
pub(super) fn position(ifindex: u32, hook: Hook, instance: &str) -> Result<Option<Position>> {
    let found = find(ifindex, hook, instance)?;
    Ok(found.map(|handle| Position::Clsact { priority: PRIORITY, handle }))
}

/// Handles of the filters of other instances.
pub(super) fn others(ifindex: u32, hook: Hook, instance: &str) -> Result<Vec<u32>> {
    let own = of_instance(instance);
    let found = filters(ifindex, hook)?.into_iter().map(|handle| handle & !MADE_QDISC);
    Ok(found.filter(|handle| *handle != own).collect())
}

/// What is common to the handles of an instance's filters: 30 bits of its name's FNV-1a hash.
pub(super) fn of_instance(instance: &str) -> u32 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    OURS | instance.bytes().fold(0x811c_9dc5, mix) & !MADE_QDISC
}

/// The instance's filters on all interfaces: index of the interface, hook and handle.
pub(super) fn all(instance: &str) -> Result<Vec<(u32, Hook, u32)>> {
    let mut found = Vec::new();
    for qdisc in netlink::qdiscs()?.into_iter().filter(|qdisc| qdisc.kind == "clsact") {
        for hook in HOOKS {
            let handle = find(qdisc.ifindex, hook, instance)?;
            found.extend(handle.map(|handle| (qdisc.ifindex, hook, handle)));
        }
    }
    Ok(found)
}

/// Handle of the instance's filter.
fn find(ifindex: u32, hook: Hook, instance: &str) -> Result<Option<u32>> {
    let own = of_instance(instance);
    Ok(filters(ifindex, hook)?.into_iter().find(|handle| handle & !MADE_QDISC == own))
}

/// Handles of the filters that agents have added at a hook, whatever their instance.
fn filters(ifindex: u32, hook: Hook) -> Result<Vec<u32>> {
    let is_ours = |filter: &netlink::Filter| {
        filter.priority == PRIORITY && filter.program.as_deref() == Some(program_name(hook))
    };
    let found = netlink::filters(ifindex, parent(hook))?.into_iter().filter(is_ours);
    Ok(found.map(|filter| filter.handle).collect())
}

/// Whether filters of others have our priority, which is for filters of one kind and protocol only.
fn is_taken(ifindex: u32, hook: Hook) -> bool {
    let is_taken = |filter: &netlink::Filter| {
        filter.priority == PRIORITY && filter.program.as_deref() != Some(program_name(hook))
    };
    netlink::filters(ifindex, parent(hook)).is_ok_and(|found| found.iter().any(is_taken))
}

/// The hook as a parent of filters; of linux/pkt_sched.h.
fn parent(hook: Hook) -> u32 {
    match hook {
        Hook::Ingress => 0xffff_fff2,
        Hook::Egress => 0xffff_fff3,
    }
}

/// Removes the instance's filter, or that of an agent before handles told whose they are; it may be gone already.
pub(super) fn detach(interface: &Interface, hook: Hook, instance: &str) -> Result<()> {
    match find(interface.index, hook, instance)? {
        Some(handle) => remove(interface, hook, handle),
        None => remove_older(interface, hook),
    }
}

/// Removes the filter of an agent before handles told whose they are, if there is one.
pub(super) fn remove_older(interface: &Interface, hook: Hook) -> Result<()> {
    if filters(interface.index, hook)?.contains(&OLDER) {
        return remove(interface, hook, OLDER);
    }
    Ok(())
}

/// Removes the filter of a handle; it may be gone already.
pub(super) fn remove(interface: &Interface, hook: Hook, handle: u32) -> Result<()> {
    let doing = || format!("detaching from {} of {}", hook_name(hook), interface.name);
    fault::before("removing a filter").map_err(|error| refused(error, doing()))?;
    match existing(interface, hook, handle)?.detach() {
        Err(error) if !is_gone(&error) => Err(refused(error, doing())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the clsact qdisc unless filters of others use it; it may be gone already.
pub(in crate::datapath) fn remove_qdisc_if_unused(interface: &Interface) -> Result<()> {
    let doing = || format!("removing the clsact qdisc of {}", interface.name);
    fault::before("removing a qdisc").map_err(|error| refused(error, doing()))?;
    let index = i32::try_from(interface.index).doing(Kind::Failed, doing)?;
    netlink::run(doing(), |handle| remove_qdisc(handle, index))
}

async fn remove_qdisc(handle: Handle, index: i32) -> anyhow::Result<()> {
    let mut filters = handle.traffic_filter(index);
    for list in [filters.get().ingress(), filters.get().egress()] {
        if pin!(list.execute()).try_next().await?.is_some() {
            return Ok(());
        }
    }
    let mut request = handle.qdisc().del(index);
    let header = &mut request.message_mut().header;
    header.parent = rtnetlink::packet_route::tc::TcHandle::CLSACT;
    match request.execute().await {
        Err(rtnetlink::Error::NetlinkError(message)) if message.raw_code() == -libc::ENOENT => {
            Ok(())
        }
        done => Ok(done?),
    }
}

fn existing(interface: &Interface, hook: Hook, handle: u32) -> Result<SchedClassifierLink> {
    let (hook, handle) = (attach_type(hook), TcHandle::from(handle));
    SchedClassifierLink::attached(&interface.name, hook, PRIORITY, handle, None)
        .map_err(|error| refused(error, format!("looking for interface {}", interface.name)))
}

/// Whether the kernel could not find a filter, or the qdisc that it was in.
fn is_gone(error: &ProgramError) -> bool {
    matches!(errno(error), Some(libc::ENOENT | libc::EINVAL))
}

fn is_present(error: &TcError) -> bool {
    matches!(error, TcError::AlreadyAttached) || errno(error) == Some(libc::EEXIST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_that_of_one_instance_and_of_no_older_agent() {
        let handles = ["default", "blue", "blue+1"].map(of_instance);
        assert_eq!(handles[0], 0x933b_5bde, "it stays, over all versions");
        for (index, handle) in handles.iter().enumerate() {
            assert_eq!(handle & MADE_QDISC, 0);
            assert_ne!(handle | MADE_QDISC, OLDER | MADE_QDISC);
            assert!(!handles[..index].contains(handle));
        }
    }
}
