//! The links.

use aya_ebpf::{macros::map, maps::HashMap};
use throttle_common::abi::{Link, MAX_LINKS};

#[map]
static LINKS: HashMap<u32, Link> = HashMap::with_max_entries(MAX_LINKS, 0);

/// The link on the interface `ifindex`, or `None` when that is not one of ours.
#[inline(always)]
pub(crate) fn get(ifindex: u32) -> Option<&'static Link> {
    // SAFETY: a link's entry is removed only after its programs are detached.
    unsafe { LINKS.get(ifindex) }
}
