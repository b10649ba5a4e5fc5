//! Whether an interface's egress queues keep departure times.

use std::pin::pin;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};

use super::{interface::Interface, netlink};
use crate::error::{Kind, Result, ResultExt};

/// The qdisc that sends no packet before its departure time.
const FQ: &str = "fq";
/// The qdisc that gives every hardware queue a qdisc of its own.
const MQ: &str = "mq";

/// Whether the egress qdisc is fq on every queue.
pub(super) fn is_fq_on_every_queue(interface: &Interface) -> Result<bool> {
    let doing = || format!("reading the qdiscs of {}", interface.name);
    let index = i32::try_from(interface.index).doing(Kind::Failed, doing)?;
    let qdiscs = netlink::run(doing(), |handle| async move {
        let mut dump = pin!(handle.qdisc().get().execute());
        let mut found = Vec::new();
        while let Some(qdisc) = dump.try_next().await? {
            if qdisc.header.index == index {
                found.push(Qdisc::of(&qdisc));
            }
        }
        Ok(found)
    })?;
    Ok(paces(&qdiscs))
}

/// What counts of a qdisc.
#[derive(Debug)]
struct Qdisc {
    kind: String,
    handle: TcHandle,
    parent: TcHandle,
}

impl Qdisc {
    fn of(message: &TcMessage) -> Self {
        let kind = message.attributes.iter().find_map(|attribute| {
            if let TcAttribute::Kind(kind) = attribute { Some(kind.clone()) } else { None }
        });
        let (handle, parent) = (message.header.handle, message.header.parent);
        Self { kind: kind.unwrap_or_default(), handle, parent }
    }
}

/// The root is fq, or mq with nothing but fq under it.
fn paces(qdiscs: &[Qdisc]) -> bool {
    let Some(root) = qdiscs.iter().find(|qdisc| qdisc.parent == TcHandle::ROOT) else {
        return false;
    };
    let is_under_root =
        |qdisc: &&Qdisc| qdisc.parent.major == root.handle.major && qdisc.parent.minor != 0;
    let mut queues = qdiscs.iter().filter(is_under_root).peekable();
    match root.kind.as_str() {
        FQ => true,
        MQ => queues.peek().is_some() && queues.all(|qdisc| qdisc.kind == FQ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qdisc(kind: &str, handle: u16, parent: TcHandle) -> Qdisc {
        let handle = TcHandle { major: handle, minor: 0 };
        Qdisc { kind: kind.to_owned(), handle, parent }
    }

    fn queue(major: u16, minor: u16) -> TcHandle {
        TcHandle { major, minor }
    }

    #[test]
    fn fq_has_to_be_on_every_queue() {
        let clsact = || qdisc("clsact", 0xffff, TcHandle::CLSACT);
        assert!(paces(&[qdisc("fq", 0x8001, TcHandle::ROOT), clsact()]));
        assert!(!paces(&[clsact()]));
        assert!(!paces(&[qdisc("noqueue", 0, TcHandle::ROOT)]));
        assert!(!paces(&[qdisc("htb", 1, TcHandle::ROOT), qdisc("fq", 2, queue(1, 1))]));
        let multi = |second: &str| {
            let root = qdisc("mq", 1, TcHandle::ROOT);
            [root, qdisc("fq", 2, queue(1, 1)), qdisc(second, 3, queue(1, 2))]
        };
        assert!(paces(&multi("fq")));
        assert!(!paces(&multi("fq_codel")));
        assert!(!paces(&[qdisc("mq", 1, TcHandle::ROOT)]));
    }
}
