//! Filters of the clsact qdisc, for kernels without TCX.
//!
//! The filter keeps a fixed priority and handle, so that a restarted agent finds and replaces it.

use std::{mem, pin::pin};

use aya::programs::{
    Link, ProgramError, SchedClassifier, TcError,
    tc::{
        NlOptions, SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions, TcHandle,
        qdisc_add_clsact,
    },
};
use futures_util::TryStreamExt;
use rtnetlink::Handle;
use throttle_common::abi::Hook;

use super::{attach_type, hook_name};
use crate::{
    datapath::{
        interface::Interface,
        refusal::{errno, refused},
        state::Position,
    },
    error::{Kind, Result, ResultExt},
    fault, netlink,
};

/// Runs early, so that a filter of others that ends the chain cannot hide this one.
const PRIORITY: u16 = 10;
const HANDLE: TcHandle = TcHandle::new(0, 0x7468);

/// Makes sure that the interface has a clsact qdisc; `true` when it had none.
pub(super) fn make_qdisc(interface: &Interface) -> Result<bool> {
    let doing = || format!("adding a clsact qdisc to {}", interface.name);
    fault::before("adding a qdisc").map_err(|error| refused(error, doing()))?;
    match qdisc_add_clsact(&interface.name) {
        Ok(()) => Ok(true),
        Err(error) if is_present(&error) => Ok(false),
        Err(error) => Err(refused(error, doing())),
    }
}

/// Adds the filter. One that is there already belongs to others and stays.
pub(super) fn attach(
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
) -> Result<()> {
    fault::before("adding a filter").map_err(|error| refused(error, attaching(interface, hook)))?;
    let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
    let options = TcAttachOptions::Netlink(options);
    let id = program
        .attach_with_options(&interface.name, attach_type(hook), options)
        .map_err(|error| refused(error, attaching(interface, hook)))?;
    keep(program, id)
}

/// Replaces the program of a filter that an earlier agent has added, or adds the filter again.
pub(super) fn adopt(
    program: &mut SchedClassifier,
    interface: &Interface,
    hook: Hook,
) -> Result<()> {
    match program.attach_to_link(existing(interface, hook)?) {
        Ok(id) => keep(program, id),
        Err(_) => {
            make_qdisc(interface)?;
            attach(program, interface, hook)
        }
    }
}

/// Leaves the filter to itself: it outlives the agent, and dropping its link would detach it.
fn keep(program: &mut SchedClassifier, id: SchedClassifierLinkId) -> Result<()> {
    let link = program.take_link(id).doing(Kind::Failed, || "keeping a clsact filter")?;
    mem::forget(link);
    Ok(())
}

fn attaching(interface: &Interface, hook: Hook) -> String {
    format!(
        "attaching to {} of {} as clsact filter with priority {PRIORITY} and handle {:#x}",
        hook_name(hook),
        interface.name,
        u32::from(HANDLE)
    )
}

/// Where the filter is; `None` when it is gone.
pub(super) fn position(ifindex: u32, hook: Hook) -> Result<Option<Position>> {
    let handle = u32::from(HANDLE);
    let is_ours = |filter: &netlink::Filter| {
        filter.kind == "bpf" && filter.priority == PRIORITY && filter.handle == handle
    };
    let is_there = netlink::filters(ifindex, parent(hook))?.iter().any(is_ours);
    Ok(is_there.then_some(Position::Clsact { priority: PRIORITY, handle }))
}

/// The hook as a parent of filters; of linux/pkt_sched.h.
fn parent(hook: Hook) -> u32 {
    match hook {
        Hook::Ingress => 0xffff_fff2,
        Hook::Egress => 0xffff_fff3,
    }
}

/// Removes the filter; it may be gone already.
pub(super) fn detach(interface: &Interface, hook: Hook) -> Result<()> {
    fault::before("removing a filter")
        .map_err(|error| refused(error, format!("detaching from {}", interface.name)))?;
    match existing(interface, hook)?.detach() {
        Ok(()) => Ok(()),
        Err(ProgramError::NetlinkError(error))
            if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) =>
        {
            Ok(())
        }
        Err(error) => {
            Err(refused(error, format!("detaching from {} of {}", hook_name(hook), interface.name)))
        }
    }
}

/// Removes the clsact qdisc unless filters of others use it.
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
    request.execute().await?;
    Ok(())
}

fn existing(interface: &Interface, hook: Hook) -> Result<SchedClassifierLink> {
    SchedClassifierLink::attached(&interface.name, attach_type(hook), PRIORITY, HANDLE, None)
        .map_err(|error| refused(error, format!("looking for interface {}", interface.name)))
}

fn is_present(error: &TcError) -> bool {
    matches!(error, TcError::AlreadyAttached) || errno(error) == Some(libc::EEXIST)
}
