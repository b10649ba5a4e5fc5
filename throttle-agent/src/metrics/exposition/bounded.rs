//! Keeps the number of series bounded, however many things there are to count.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    hash::Hash,
};

use super::counters::Totals;

/// One thing with its counters.
pub(super) type Row<K> = (K, Totals);

/// Chooses what has series of its own, and sums the rest so that the sum only grows.
#[derive(Debug)]
pub(super) struct Bounded<K> {
    most: usize,
    own: HashSet<K>,
    /// What everything stood at last time, once there was too much.
    before: Option<HashMap<K, Totals>>,
    other: Totals,
}

impl<K: Clone + Eq + Hash> Bounded<K> {
    /// At most `most` have series of their own.
    pub(super) fn new(most: usize) -> Self {
        Self { most, own: HashSet::new(), before: None, other: Totals::default() }
    }

    /// The rows that have series of their own, and the sum of all others that there ever were.
    ///
    /// Those with most bytes are chosen. One that was chosen before makes room only for one with
    /// twice as many, so that two alike do not take turns.
    pub(super) fn update(&mut self, mut rows: Vec<Row<K>>) -> (Vec<Row<K>>, Option<Totals>) {
        if rows.len() <= self.most && self.before.is_none() {
            return (rows, None);
        }
        let weight = |(key, totals): &Row<K>| {
            let favour = if self.own.contains(key) { 2 } else { 1 };
            Reverse(totals.bytes().saturating_mul(favour))
        };
        if rows.len() > self.most && self.most > 0 {
            rows.select_nth_unstable_by_key(self.most - 1, weight);
        }
        let others = rows.split_off(self.most.min(rows.len()));
        let before = self.before.take().unwrap_or_default();
        for (key, totals) in &others {
            self.other.add(&totals.since(before.get(key)));
        }
        self.own = rows.iter().map(|(key, _)| key.clone()).collect();
        self.before = Some(rows.iter().chain(&others).cloned().collect());
        (rows, Some(self.other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, bytes: u64) -> Row<&'static str> {
        (name, Totals::of_passed_bytes(bytes))
    }

    /// The names that have series of their own, sorted, and what the others sum up to.
    fn update(
        bounded: &mut Bounded<&'static str>,
        rows: &[(&'static str, u64)],
    ) -> (Vec<&'static str>, Option<u64>) {
        let (own, other) = bounded.update(rows.iter().map(|&(name, n)| row(name, n)).collect());
        let mut names: Vec<_> = own.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        (names, other.map(|totals| totals.bytes()))
    }

    #[test]
    fn few_have_series_of_their_own_and_there_are_no_others() {
        let mut bounded = Bounded::new(2);
        assert_eq!(update(&mut bounded, &[("a", 1), ("b", 2)]), (vec!["a", "b"], None));
    }

    #[test]
    fn the_largest_have_their_own_and_the_rest_are_summed() {
        let mut bounded = Bounded::new(2);
        let rows = [("a", 100), ("b", 1), ("c", 50), ("d", 2)];
        assert_eq!(update(&mut bounded, &rows), (vec!["a", "c"], Some(3)));
    }

    #[test]
    fn the_sum_never_shrinks_whoever_comes_and_goes() {
        let mut bounded = Bounded::new(1);
        assert_eq!(update(&mut bounded, &[("a", 100), ("b", 60)]), (vec!["a"], Some(60)));
        // b has not twice as much, and grows among the others.
        assert_eq!(update(&mut bounded, &[("a", 100), ("b", 150)]), (vec!["a"], Some(150)));
        // Now it has: what a had before stays its own.
        assert_eq!(update(&mut bounded, &[("a", 110), ("b", 250)]), (vec!["b"], Some(160)));
        // a is deleted, and c is new.
        assert_eq!(update(&mut bounded, &[("c", 5), ("b", 250)]), (vec!["b"], Some(165)));
        assert_eq!(update(&mut bounded, &[("b", 260)]), (vec!["b"], Some(165)));
        // c comes back from nothing.
        assert_eq!(update(&mut bounded, &[("c", 7), ("b", 260)]), (vec!["b"], Some(172)));
    }
}
