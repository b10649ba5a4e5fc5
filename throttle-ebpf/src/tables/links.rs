//! The links.

use aya_ebpf::{macros::map, maps::Array};
use throttle_common::abi::{LINK_PROBES, LINK_SLOTS, Link, link_slot};

#[map]
static LINKS: Array<Link> = Array::with_max_entries(LINK_SLOTS, 0);

/// The link on the interface `ifindex`, or `None` when that is not one of ours.
#[inline(always)]
pub(crate) fn get(ifindex: u32) -> Option<&'static Link> {
    for probe in 0..LINK_PROBES {
        let link = LINKS.get(link_slot(ifindex, probe))?;
        if link.ifindex == ifindex {
            return Some(link);
        }
    }
    None
}
