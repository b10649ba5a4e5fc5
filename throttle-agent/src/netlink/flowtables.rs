//! Flowtables of nftables: packets of flows in them do not take the usual way.

use std::io;

use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::dump::{attributes, dump, text};
use crate::error::{Kind, Result, ResultExt};

// Of linux/netfilter/nfnetlink.h and nf_tables.h.
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_GETFLOWTABLE: u16 = 23;
/// `struct nfgenmsg`, which asks for tables of all families.
const NFGENMSG: [u8; 4] = [0; 4];
const NFTA_FLOWTABLE_NAME: u16 = 2;
const NFTA_FLOWTABLE_HOOK: u16 = 3;
const NFTA_FLOWTABLE_FLAGS: u16 = 7;
const NFTA_FLOWTABLE_HOOK_DEVS: u16 = 3;
const NFTA_DEVICE_NAME: u16 = 1;
const NFTA_DEVICE_PREFIX: u16 = 2;
const NFT_FLOWTABLE_HW_OFFLOAD: u32 = 1;

/// A flowtable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flowtable {
    /// Its name.
    pub(crate) name: String,
    /// Names of the interfaces at whose ingress it takes packets; one that ends in `*` is a beginning.
    pub(crate) devices: Vec<String>,
    /// Whether hardware may forward them.
    pub(crate) is_offloaded: bool,
}

/// Lists the flowtables of this network namespace; none where the kernel has no nftables.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn flowtables() -> Result<Vec<Flowtable>> {
    let kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETFLOWTABLE;
    let found = match dump(NETLINK_NETFILTER, kind, &NFGENMSG) {
        Err(error) if is_unknown(&error) => Vec::new(),
        found => found.doing(Kind::Failed, || "listing flowtables")?,
    };
    Ok(found.iter().map(|body| Flowtable::read(body)).collect())
}

fn is_unknown(error: &io::Error) -> bool {
    let unknown =
        [libc::EPROTONOSUPPORT, libc::EOPNOTSUPP, libc::EINVAL, libc::ENOENT, libc::ECONNREFUSED];
    error.raw_os_error().is_some_and(|code| unknown.contains(&code))
}

impl Flowtable {
    /// Whether it takes packets at the ingress of an interface.
    pub(crate) fn takes_from(&self, interface: &str) -> bool {
        self.devices.iter().any(|device| match device.strip_suffix('*') {
            Some(beginning) => interface.starts_with(beginning),
            None => interface == device,
        })
    }

    fn read(body: &[u8]) -> Self {
        let mut read = Self::default();
        for (kind, value) in attributes(body, NFGENMSG.len()) {
            match kind {
                NFTA_FLOWTABLE_NAME => read.name = text(value),
                NFTA_FLOWTABLE_HOOK => read.devices = devices(value),
                NFTA_FLOWTABLE_FLAGS => {
                    let flags = value.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                    read.is_offloaded = flags & NFT_FLOWTABLE_HW_OFFLOAD != 0;
                }
                _ => {}
            }
        }
        read
    }
}

fn devices(hook: &[u8]) -> Vec<String> {
    let lists = attributes(hook, 0).filter(|(kind, _)| *kind == NFTA_FLOWTABLE_HOOK_DEVS);
    let names = lists.flat_map(|(_, list)| attributes(list, 0));
    let read = |(kind, value)| match kind {
        NFTA_DEVICE_NAME => Some(text(value)),
        NFTA_DEVICE_PREFIX => Some(text(value) + "*"),
        _ => None,
    };
    names.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::dump::tests::attribute, *};

    fn message(flags: u32) -> Vec<u8> {
        let names =
            [attribute(NFTA_DEVICE_NAME, b"eth0\0"), attribute(NFTA_DEVICE_PREFIX, b"wg\0")];
        let hook = [
            attribute(1, &0_u32.to_be_bytes()),
            attribute(NFTA_FLOWTABLE_HOOK_DEVS | 0x8000, &names.concat()),
        ];
        [
            NFGENMSG.to_vec(),
            attribute(1, b"filter\0"),
            attribute(NFTA_FLOWTABLE_NAME, b"fast\0"),
            attribute(NFTA_FLOWTABLE_HOOK | 0x8000, &hook.concat()),
            attribute(NFTA_FLOWTABLE_FLAGS, &flags.to_be_bytes()),
        ]
        .concat()
    }

    #[test]
    fn the_interfaces_of_a_flowtable_and_whether_hardware_forwards_are_read() {
        let read = Flowtable::read(&message(0));
        let devices = ["eth0", "wg*"].map(str::to_owned).to_vec();
        assert_eq!(read, Flowtable { name: "fast".to_owned(), devices, is_offloaded: false });
        let takes = |name| read.takes_from(name);
        assert!(takes("eth0") && takes("wg7") && !takes("eth01") && !takes("w"));
        assert!(Flowtable::read(&message(NFT_FLOWTABLE_HW_OFFLOAD)).is_offloaded);
        assert_eq!(Flowtable::read(&[]), Flowtable::default());
    }
}
