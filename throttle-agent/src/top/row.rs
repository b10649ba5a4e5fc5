//! One line of the screen, and how lines are ordered.

use std::{cmp::Ordering, net::IpAddr};

use ipnet::IpNet;
use throttle_common::units::{BitRate, PacketsPerSecond};

use super::{facts::address_of, meter::Metered};
use crate::{
    policy::RatesView,
    telemetry::{FlowView, HostSort},
};

/// Order of hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Down,
    Up,
    Excess,
    Use,
    Name,
}

/// A host, a limit, a group or a link.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    /// Its name.
    pub(super) name: String,
    /// The group of a host, or what the row is about.
    pub(super) also: String,
    /// What it is limited to, as it can be typed.
    pub(super) limit: String,
    /// What passed, in bits per second.
    pub(super) up: u64,
    /// What passed, in bits per second.
    pub(super) down: u64,
    /// Of the rate that it is nearest to, in percent; `None` without one.
    pub(super) used: Option<f64>,
    /// Packets per second that found no room; `None` while that is not known.
    pub(super) excess: Option<u64>,
    /// Bits per second of the last half minute, oldest first.
    pub(super) history: Vec<u64>,
}

/// Rates in force: up, down and total.
pub(super) type Rates = [RatesView; 3];

impl Row {
    /// A row of what passes up and down under `rates`.
    pub(super) fn new(
        name: String,
        [up, down]: [&FlowView; 2],
        rates: Option<Rates>,
        metered: Option<&Metered>,
    ) -> Self {
        let per_second = metered.and_then(|metered| metered.per_second);
        let packets = per_second.map_or([0, 0], |per_second| per_second.passed);
        let bits = [up.bits_per_second, down.bits_per_second];
        Self {
            name,
            also: String::new(),
            limit: rates.map_or_else(|| "-".to_owned(), limit_words),
            up: bits[0],
            down: bits[1],
            used: rates.and_then(|rates| used_percent(rates, bits, packets)),
            excess: per_second.map(|per_second| per_second.excess),
            history: metered
                .map(|metered| metered.history.iter().copied().collect())
                .unwrap_or_default(),
        }
    }

    /// Whether a filter lets it through: an address, a prefix, or a part of a name.
    pub(super) fn matches(&self, filter: &str) -> bool {
        if let Ok(prefix) = filter.parse::<IpNet>() {
            return address_of(&self.name).is_some_and(|address| prefix.contains(&address));
        }
        if let Ok(address) = filter.parse::<IpAddr>()
            && let Ok(own) = self.name.parse::<IpNet>()
        {
            return own.contains(&address);
        }
        self.name.contains(filter) || self.also.contains(filter)
    }
}

/// Rates as they can be typed: `10mbit`, or `2mbit/10mbit` for up and down.
fn limit_words([up, down, total]: Rates) -> String {
    let bits = |view: RatesView| {
        view.bits_per_second.map(|rate| BitRate::from_bits_per_second(rate).to_string())
    };
    let packets = |view: RatesView| {
        let rate = view.packets_per_second.map(PacketsPerSecond::from_packets_per_second);
        rate.map(|rate| rate.to_string())
    };
    let both = |up: Option<String>, down: Option<String>, total: Option<String>| match (up, down) {
        (None, None) => total,
        (up, down) if up == down => up,
        (up, down) => {
            let word = |rate: Option<String>| rate.unwrap_or_else(|| "-".to_owned());
            Some(format!("{}/{}", word(up), word(down)))
        }
    };
    both(bits(up), bits(down), bits(total))
        .or_else(|| both(packets(up), packets(down), packets(total)))
        .unwrap_or_else(|| "-".to_owned())
}

/// The largest share of any rate, in percent.
fn used_percent([up, down, total]: Rates, bits: [u64; 2], packets: [u64; 2]) -> Option<f64> {
    let sum = |pair: [u64; 2]| pair[0].saturating_add(pair[1]);
    let shares = [
        (up.bits_per_second, bits[0]),
        (down.bits_per_second, bits[1]),
        (total.bits_per_second, sum(bits)),
        (up.packets_per_second, packets[0]),
        (down.packets_per_second, packets[1]),
        (total.packets_per_second, sum(packets)),
    ];
    let shares = shares.into_iter().filter_map(|(rate, used)| {
        let rate = rate.filter(|rate| *rate > 0)?;
        Some(used as f64 / rate as f64 * 100.0)
    });
    shares.reduce(f64::max)
}

impl Sort {
    /// The next one, for the key that goes through them all.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Excess,
            Self::Excess => Self::Use,
            Self::Use => Self::Name,
            Self::Name => Self::Down,
        }
    }

    /// Its name.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Excess => "excess",
            Self::Use => "use",
            Self::Name => "name",
        }
    }

    /// The order in which the agent is asked for hosts.
    pub(super) fn asked(self) -> HostSort {
        match self {
            Self::Down | Self::Use | Self::Name => HostSort::Down,
            Self::Up => HostSort::Up,
            Self::Excess => HostSort::Excess,
        }
    }

    /// Compares two rows, largest first, equals by name.
    pub(super) fn compare(self, one: &Row, other: &Row) -> Ordering {
        let largest = match self {
            Self::Down => other.down.cmp(&one.down),
            Self::Up => other.up.cmp(&one.up),
            Self::Excess => other.excess.cmp(&one.excess),
            Self::Use => other.used.unwrap_or(-1.0).total_cmp(&one.used.unwrap_or(-1.0)),
            Self::Name => Ordering::Equal,
        };
        largest.then_with(|| by_name(one, other))
    }
}

/// Addresses by number, the rest by letter.
fn by_name(one: &Row, other: &Row) -> Ordering {
    let key = |row: &Row| (address_of(&row.name).is_none(), address_of(&row.name));
    key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(rate: u64) -> RatesView {
        RatesView { bits_per_second: Some(rate), ..RatesView::default() }
    }

    #[test]
    fn rates_are_shown_as_they_are_typed() {
        let none = RatesView::default();
        let packets = RatesView { packets_per_second: Some(2000), ..none };
        for (rates, words) in [
            ([bits(2_000_000), bits(10_000_000), none], "2mbit/10mbit"),
            ([bits(10_000_000), bits(10_000_000), none], "10mbit"),
            ([none, bits(10_000_000), none], "-/10mbit"),
            ([none, none, bits(5_000_000)], "5mbit"),
            ([packets, none, none], "2kpps/-"),
            ([none; 3], "-"),
        ] {
            assert_eq!(limit_words(rates), words);
        }
    }

    #[test]
    fn the_rate_that_it_is_nearest_to_counts() {
        let none = RatesView::default();
        let packets = RatesView { packets_per_second: Some(100), ..bits(1000) };
        assert_eq!(used_percent([bits(1000), bits(1000), none], [500, 900], [0, 0]), Some(90.0));
        assert_eq!(used_percent([packets, none, none], [500, 900], [75, 0]), Some(75.0));
        assert_eq!(used_percent([none, none, bits(1000)], [500, 300], [0, 0]), Some(80.0));
        assert_eq!(used_percent([none; 3], [500, 900], [9, 9]), None);
    }

    #[test]
    fn a_filter_is_an_address_a_prefix_or_a_part_of_a_name() {
        let row = |name: &str| Row { name: name.into(), also: "acme".into(), ..Row::default() };
        let (four, six) = (row("10.0.0.7"), row("2001:db8:0:7::/64"));
        assert!(four.matches("10.0.0.0/24") && !four.matches("10.0.1.0/24"));
        assert!(four.matches("0.7") && four.matches("10.0.0.7") && four.matches("acm"));
        assert!(six.matches("2001:db8::/32") && !six.matches("10.0.0.0/8"));
        assert!(six.matches("2001:db8:0:7::99") && !six.matches("2001:db8:0:8::99"));
    }

    #[test]
    fn addresses_are_ordered_by_number() {
        let row = |name: &str| Row { name: name.into(), ..Row::default() };
        let mut rows = [row("10.0.0.10"), row("2001:db8::/64"), row("10.0.0.9"), row("acme")];
        rows.sort_by(|one, other| Sort::Name.compare(one, other));
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["10.0.0.9", "10.0.0.10", "2001:db8::/64", "acme"]);
    }
}
