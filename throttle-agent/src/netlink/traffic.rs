//! Queueing disciplines and filters.

use std::io;

use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::dump::{attributes, dump, number, text};
use crate::error::{Kind, Result, ResultExt};

const RTM_GETQDISC: u16 = 38;
const RTM_GETTFILTER: u16 = 46;
/// Length of `struct tcmsg`.
const TCMSG_BYTES: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
/// Within the options of a filter of kind `bpf`.
const TCA_BPF_NAME: u16 = 7;

/// A queueing discipline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Qdisc {
    /// Index of its interface.
    pub(crate) ifindex: u32,
    /// Its kind.
    pub(crate) kind: String,
    /// Major and minor number of the class that it is in; all ones for the root.
    pub(crate) parent: u32,
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Its kind.
    pub(crate) kind: String,
    /// Its handle.
    pub(crate) handle: u32,
    /// Its priority.
    pub(crate) priority: u16,
    /// The name that its program was attached by, if it runs one.
    pub(crate) program: Option<String>,
}

/// Lists the queueing disciplines of all interfaces.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn qdiscs() -> Result<Vec<Qdisc>> {
    let found = dump(NETLINK_ROUTE, RTM_GETQDISC, &[0; TCMSG_BYTES]);
    let found = found.doing(Kind::Failed, || "listing qdiscs")?;
    let read = |body: &Vec<u8>| {
        let ifindex = number(body.get(4..)?)?;
        Some(Qdisc { ifindex, kind: kind(body), parent: number(body.get(12..)?)? })
    };
    Ok(found.iter().filter_map(read).collect())
}

/// Lists the filters of an interface at a parent, such as a hook of clsact; none without it.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn filters(ifindex: u32, parent: u32) -> Result<Vec<Filter>> {
    let mut header = [0; TCMSG_BYTES];
    header[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    header[12..16].copy_from_slice(&parent.to_ne_bytes());
    let found = match dump(NETLINK_ROUTE, RTM_GETTFILTER, &header) {
        // There is no such parent, or no such interface.
        Err(error) if is_absent(&error) => Vec::new(),
        found => found.doing(Kind::Failed, || format!("listing filters of interface {ifindex}"))?,
    };
    let read = |body: &Vec<u8>| {
        let handle = number(body.get(8..)?)?;
        let priority = (number(body.get(16..)?)? >> 16) as u16;
        Some(Filter { kind: kind(body), handle, priority, program: program(body) })
    };
    Ok(found.iter().filter_map(read).collect())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENODEV | libc::ENOENT))
}

fn kind(body: &[u8]) -> String {
    attribute(body, TCMSG_BYTES, TCA_KIND).map(text).unwrap_or_default()
}

fn program(body: &[u8]) -> Option<String> {
    if kind(body) != "bpf" {
        return None;
    }
    attribute(attribute(body, TCMSG_BYTES, TCA_OPTIONS)?, 0, TCA_BPF_NAME).map(text)
}

/// The attribute of a number behind a header of `header_bytes`.
fn attribute(body: &[u8], header_bytes: usize, wanted: u16) -> Option<&[u8]> {
    attributes(body, header_bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::dump::tests::attribute;

    #[test]
    fn a_filter_of_a_program_has_its_name_and_others_have_none() {
        let body = |kind: &[u8]| {
            let options = attribute(TCA_BPF_NAME, b"throttle_in\0");
            let attributes = [attribute(TCA_KIND, kind), attribute(TCA_OPTIONS, &options)];
            [vec![0; TCMSG_BYTES], attributes.concat()].concat()
        };
        assert_eq!(program(&body(b"bpf\0")).as_deref(), Some("throttle_in"));
        assert_eq!(program(&body(b"u32\0")), None);
        assert_eq!(program(&[0; TCMSG_BYTES]), None);
    }
}
