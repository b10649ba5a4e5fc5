//! The hosts at the head of every list, as they are published once a second.

use super::{HostSort, HostView};

/// Hosts that are published of each order, at most.
pub const TOP: usize = 1000;

/// The first hosts of every order, with the counters and rates of one sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopHosts {
    hosts: Vec<HostView>,
    /// Per order, in that of [`HostSort::ALL`]: places in `hosts`.
    orders: [Vec<u32>; HostSort::ALL.len()],
}

impl TopHosts {
    /// Puts hosts in every order and keeps the first of each.
    #[must_use]
    pub fn new(hosts: Vec<HostView>) -> Self {
        let orders = HostSort::ALL.map(|sort| {
            let mut order: Vec<_> = (0..hosts.len() as u32).collect();
            let key = |place: u32| sort.key(&hosts[place as usize]);
            order.sort_by(|&one, &other| key(one).cmp(&key(other)));
            order.truncate(TOP);
            order
        });
        Self { hosts, orders }
    }

    /// The first hosts of an order, at most [`TOP`].
    pub fn by(&self, sort: HostSort) -> impl ExactSizeIterator<Item = &HostView> {
        let order = &self.orders[sort as usize];
        order.iter().map(|&place| &self.hosts[place as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::hosts::tests::host;

    #[test]
    fn each_order_begins_with_its_largest() {
        let top = TopHosts::new(vec![host("a", 1, 3, 2), host("b", 3, 2, 1), host("c", 2, 1, 3)]);
        let names = |sort| top.by(sort).map(|host| host.host.as_str()).collect::<Vec<_>>();
        assert_eq!(names(HostSort::Down), ["a", "b", "c"]);
        assert_eq!(names(HostSort::Up), ["b", "c", "a"]);
        assert_eq!(names(HostSort::Excess), ["c", "a", "b"]);
    }

    #[test]
    fn no_order_is_longer_than_is_published() {
        let hosts = (0..2 * TOP as u64).map(|rate| host(&rate.to_string(), rate, 0, 0));
        let top = TopHosts::new(hosts.collect());
        let rates: Vec<_> = top.by(HostSort::Up).map(|host| host.up.flow.bits_per_second).collect();
        let expected: Vec<_> = (0..2 * TOP as u64).rev().take(TOP).collect();
        assert_eq!(rates, expected);
        assert_eq!(top.by(HostSort::Down).len(), TOP);
    }
}
