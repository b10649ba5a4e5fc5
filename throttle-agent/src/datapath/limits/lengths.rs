//! How long the prefixes of a policy are: a look-up tries no others.

use std::collections::BTreeMap;

use ipnet::IpNet;

/// How many prefixes there are of each length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    /// By whether it is IPv6, and by length in bits.
    counts: BTreeMap<(bool, u8), usize>,
}

impl Lengths {
    /// Counts a prefix in.
    pub(super) fn add(&mut self, prefix: &IpNet) {
        *self.counts.entry(key(prefix)).or_default() += 1;
    }

    /// Counts a prefix out that was counted in.
    pub(super) fn remove(&mut self, prefix: &IpNet) {
        if let Some(count) = self.counts.get_mut(&key(prefix)) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key(prefix));
            }
        }
    }

    /// Every prefix that holds all of `host` and is as long as one that was counted in, longest first.
    pub(super) fn prefixes_of(&self, host: IpNet) -> impl Iterator<Item = IpNet> {
        let (is_ipv6, bits) = key(&host);
        let lengths = self.counts.range((is_ipv6, 0)..=(is_ipv6, bits)).rev();
        // Not longer than the host, which is a prefix itself.
        lengths.filter_map(move |(&(_, bits), _)| Some(IpNet::new(host.addr(), bits).ok()?.trunc()))
    }
}

fn key(prefix: &IpNet) -> (bool, u8) {
    (matches!(prefix, IpNet::V6(_)), prefix.prefix_len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn only_lengths_that_there_are_get_tried_the_longest_first() {
        let mut lengths = Lengths::default();
        for prefix in ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0", "fd00::/48"] {
            lengths.add(&net(prefix));
        }
        let found: Vec<_> = lengths.prefixes_of(net("10.9.8.7/32")).collect();
        assert_eq!(found, [net("10.9.0.0/16"), net("10.0.0.0/8"), net("0.0.0.0/0")]);
        assert_eq!(
            lengths.prefixes_of(net("fd00:1::/64")).collect::<Vec<_>>(),
            [net("fd00:1::/48")]
        );
        assert_eq!(lengths.prefixes_of(net("10.0.0.0/8")).count(), 2, "none longer than itself");
        lengths.remove(&net("10.1.0.0/16"));
        assert_eq!(lengths.prefixes_of(net("10.9.8.7/32")).count(), 3, "one of two is left");
        lengths.remove(&net("10.2.0.0/16"));
        assert_eq!(lengths.prefixes_of(net("10.9.8.7/32")).count(), 2);
    }
}
