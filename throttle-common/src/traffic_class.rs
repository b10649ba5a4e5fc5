//! The DSCP and ECN fields of an IP header (RFC 2474, RFC 3168) and what their change does to it.

use crate::packet::Version;

/// ECN field of a packet that was marked: congestion experienced.
const CE: u8 = 0b11;

/// The first two bytes of an IP header, which hold the traffic class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassBytes {
    version: Version,
    bytes: [u8; 2],
}

impl ClassBytes {
    /// The first two bytes of a header of `version`.
    #[inline(always)]
    #[must_use]
    pub const fn new(version: Version, bytes: [u8; 2]) -> Self {
        Self { version, bytes }
    }

    /// Version of the header.
    #[inline(always)]
    #[must_use]
    pub const fn version(self) -> Version {
        self.version
    }

    /// The bytes.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(self) -> [u8; 2] {
        self.bytes
    }

    /// The traffic class: DSCP in the upper six bits, ECN in the lower two.
    #[inline(always)]
    #[must_use]
    pub const fn class(self) -> u8 {
        let [first, second] = self.bytes;
        match self.version {
            Version::V4 => second,
            Version::V6 => first << 4 | second >> 4,
        }
    }

    /// Whether the sender takes part in ECN and the packet has no mark yet.
    #[inline(always)]
    #[must_use]
    pub const fn is_ecn_capable(self) -> bool {
        matches!(self.class() & CE, 1 | 2)
    }

    /// The bytes with a CE mark.
    #[inline(always)]
    #[must_use]
    pub const fn marked_ce(self) -> Self {
        self.with_class(self.class() | CE)
    }

    /// The bytes with another DSCP, of six bits; the ECN field stays.
    #[inline(always)]
    #[must_use]
    pub const fn with_dscp(self, dscp: u8) -> Self {
        self.with_class(dscp << 2 | self.class() & CE)
    }

    #[inline(always)]
    const fn with_class(self, class: u8) -> Self {
        let [first, second] = self.bytes;
        let bytes = match self.version {
            Version::V4 => [first, class],
            Version::V6 => [first & 0xf0 | class >> 4, class << 4 | second & 0x0f],
        };
        Self { version: self.version, bytes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All first two bytes of a header, and every DSCP.
    #[test]
    fn every_header_keeps_all_but_what_is_set() {
        for word in 0..=u16::MAX {
            for (version, class_mask) in [(Version::V4, 0x00ff), (Version::V6, 0x0ff0)] {
                let before = ClassBytes::new(version, word.to_be_bytes());
                let class = (word & class_mask) >> class_mask.trailing_zeros();
                assert_eq!(u16::from(before.class()), class);
                let word_of = |after: ClassBytes| u16::from_be_bytes(after.bytes());
                let with = |class: u16| word & !class_mask | class << class_mask.trailing_zeros();
                assert_eq!(word_of(before.marked_ce()), with(class | 3));
                for dscp in 0..64 {
                    let expected = with(u16::from(dscp) << 2 | class & 3);
                    assert_eq!(word_of(before.with_dscp(dscp)), expected);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_dscp_changes_neither_ecn_nor_the_rest_of_the_header(
            bytes: [u8; 2],
            is_ipv4: bool,
            dscp in 0_u8..64,
        ) {
            let version = if is_ipv4 { Version::V4 } else { Version::V6 };
            let before = ClassBytes::new(version, bytes);
            let after = before.with_dscp(dscp);
            prop_assert_eq!(after.class() >> 2, dscp);
            prop_assert_eq!(after.class() & CE, before.class() & CE);
            let others = |[first, second]: [u8; 2]| match version {
                Version::V4 => [first, 0],
                Version::V6 => [first & 0xf0, second & 0x0f],
            };
            prop_assert_eq!(others(after.bytes()), others(bytes));
            prop_assert_eq!(after.with_dscp(before.class() >> 2), before);
        }

        #[test]
        fn only_a_sender_that_takes_part_is_marked(bytes: [u8; 2], is_ipv4: bool) {
            let version = if is_ipv4 { Version::V4 } else { Version::V6 };
            let before = ClassBytes::new(version, bytes);
            prop_assert_eq!(before.is_ecn_capable(), matches!(before.class() & CE, 1 | 2));
            prop_assert_eq!(before.marked_ce().class(), before.class() | CE);
            prop_assert!(!before.marked_ce().is_ecn_capable());
        }
    }
}
