//! Whether an interface's egress queues keep departure times, and how much they hold.

mod fq;

use std::{collections::BTreeMap, pin::pin};

use futures_util::TryStreamExt;
use rtnetlink::{
    packet_core::DecodeError,
    packet_route::tc::{TcAttribute, TcHandle, TcMessage},
};

use super::{interface::Interface, state::FqRoom};
use crate::{
    error::{Kind, Result, ResultExt},
    netlink,
};

/// The qdisc that sends no packet before its departure time.
const FQ: &str = "fq";
/// The qdisc that gives every hardware queue a qdisc of its own.
const MQ: &str = "mq";

/// The qdiscs of the network namespace as the kernel tells of them, by index of the interface.
pub(super) struct Qdiscs(BTreeMap<i32, Vec<TcMessage>>);

impl Qdiscs {
    /// Asks the kernel, which tells of all interfaces at once.
    pub(super) fn read() -> Result<Self> {
        let found = netlink::run("reading the qdiscs of all interfaces", |handle| async move {
            let mut dump = pin!(handle.qdisc().get().execute());
            let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
            while let Some(qdisc) = dump.try_next().await? {
                found.entry(qdisc.header.index).or_default().push(qdisc);
            }
            Ok(found)
        });
        found.map(Self)
    }

    /// What the egress qdisc of an interface holds; `None` unless it is fq on every queue.
    pub(super) fn fq_room(&self, interface: &Interface) -> Result<Option<FqRoom>> {
        let own = self.0.get(&interface.index.cast_signed()).into_iter().flatten();
        let qdiscs = own.map(Qdisc::of).collect::<Result<Vec<_>, _>>();
        let doing = || format!("reading the qdiscs of {}", interface.name);
        Ok(room(&qdiscs.doing(Kind::Failed, doing)?))
    }
}

/// What counts of a qdisc.
#[derive(Debug)]
struct Qdisc {
    kind: String,
    handle: TcHandle,
    parent: TcHandle,
    /// Where it is fq.
    fq: Option<FqRoom>,
}

impl Qdisc {
    fn of(message: &TcMessage) -> Result<Self, DecodeError> {
        let kind = message.attributes.iter().find_map(|attribute| {
            if let TcAttribute::Kind(kind) = attribute { Some(kind.clone()) } else { None }
        });
        let kind = kind.unwrap_or_default();
        let fq = (kind == FQ).then(|| fq::room(message)).transpose()?;
        let (handle, parent) = (message.header.handle, message.header.parent);
        Ok(Self { kind, handle, parent, fq })
    }
}

/// The root is fq, or mq with nothing but fq under it.
fn room(qdiscs: &[Qdisc]) -> Option<FqRoom> {
    let root = qdiscs.iter().find(|qdisc| qdisc.parent == TcHandle::ROOT)?;
    if root.kind != MQ {
        return root.fq;
    }
    let is_under_root =
        |qdisc: &&Qdisc| qdisc.parent.major == root.handle.major && qdisc.parent.minor != 0;
    let queues = qdiscs.iter().filter(is_under_root);
    let rooms = queues.map(|queue| queue.fq).collect::<Option<Vec<_>>>()?;
    let least = rooms.into_iter().reduce(FqRoom::least)?;
    Some(FqRoom { mq: Some(root.handle.major), ..least })
}

#[cfg(test)]
mod tests {
    use throttle_common::units::Span;

    use super::*;

    fn qdisc(kind: &str, handle: u16, parent: TcHandle) -> Qdisc {
        let handle = TcHandle { major: handle, minor: 0 };
        let fq = (kind == FQ).then_some(FqRoom::UNBOUNDED);
        Qdisc { kind: kind.to_owned(), handle, parent, fq }
    }

    fn queue(major: u16, minor: u16) -> TcHandle {
        TcHandle { major, minor }
    }

    #[test]
    fn fq_has_to_be_on_every_queue() {
        let paces = |qdiscs: &[Qdisc]| room(qdiscs).is_some();
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

    #[test]
    fn of_several_queues_the_least_counts() {
        let with = |minor, fq| Qdisc { fq: Some(fq), ..qdisc("fq", minor + 1, queue(1, minor)) };
        let second = Span::from_nanoseconds(Span::NANOSECONDS_PER_SECOND);
        let few = FqRoom { packets: 10, flow_packets: 9, ..FqRoom::UNBOUNDED };
        let short = FqRoom { horizon: second, drops_beyond_horizon: true, ..FqRoom::UNBOUNDED };
        assert_eq!(room(&[Qdisc { parent: TcHandle::ROOT, ..with(1, few) }]), Some(few));
        let found = room(&[qdisc("mq", 1, TcHandle::ROOT), with(1, few), with(2, short)]);
        let least = FqRoom { horizon: second, drops_beyond_horizon: true, mq: Some(1), ..few };
        assert_eq!(found, Some(least));
    }
}
