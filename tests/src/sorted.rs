//! Values of a kind, in order: medians and quartiles.

use std::time::Duration;

/// At least one value, the least first.
#[derive(Clone, Debug)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts the values.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        assert!(!values.is_empty(), "no values have no median");
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The same of times, in seconds.
    pub fn seconds(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(times.into_iter().map(|time| time.as_secs_f64()))
    }

    /// The one in the middle, or the mean of the two there.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The value below which so great a part of them is, between two of them in proportion.
    pub fn quantile(&self, part: f64) -> f64 {
        let position = part * (self.0.len() - 1) as f64;
        let (below, above) = (self.0[position.floor() as usize], self.0[position.ceil() as usize]);
        below + (above - below) * position.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::Sorted;

    #[test]
    fn quantiles_lie_between_the_values_next_to_them() {
        let values = Sorted::new([8.0, 2.0, 1.0, 4.0]);
        let parts = [0.0, 0.5, 0.75, 1.0].map(|part| values.quantile(part));
        assert_eq!(parts, [1.0, 3.0, 5.0, 8.0]);
        assert_eq!((values.median(), Sorted::new([7.0]).quantile(0.25)), (3.0, 7.0));
    }
}
