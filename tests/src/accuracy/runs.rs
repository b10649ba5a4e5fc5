//! What several runs of one measurement come to.

/// The same value, measured in several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Runs {
    /// Of all runs.
    pub mean: f64,
    /// Of the least run.
    pub least: f64,
    /// Of the greatest run.
    pub most: f64,
}

impl Runs {
    /// Of these values, one for each run; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<_> = values.into_iter().collect();
        (!values.is_empty()).then(|| Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    /// Half the distance from the least run to the greatest.
    pub fn spread(self) -> f64 {
        (self.most - self.least) / 2.0
    }

    /// How far the mean is from `due`, whichever way.
    pub fn error(self, due: f64) -> f64 {
        (self.mean - due).abs()
    }

    /// How far the run is from `due` that is furthest off, whichever way.
    pub fn worst_error(self, due: f64) -> f64 {
        (self.most - due).max(due - self.least)
    }

    /// Up to which difference this and `other` are level: `least`, or the larger spread.
    pub fn level_with(self, other: Self, least: f64) -> f64 {
        least.max(self.spread()).max(other.spread())
    }
}

#[cfg(test)]
mod tests {
    use super::Runs;

    #[test]
    fn runs_have_a_mean_a_spread_and_a_worst() {
        let runs = Runs::of([98.0, 101.0, 98.0]).unwrap();
        assert_eq!(runs, Runs { mean: 99.0, least: 98.0, most: 101.0 });
        assert_eq!((runs.spread(), runs.error(100.0), runs.worst_error(100.0)), (1.5, 1.0, 2.0));
        assert_eq!(runs.worst_error(99.0), 2.0);
        assert_eq!(Runs::of([]), None);
    }

    #[test]
    fn the_larger_spread_is_the_margin_but_never_less_than_what_is_told() {
        let [still, noisy] = [[5.0, 5.0], [4.0, 6.0]].map(|values| Runs::of(values).unwrap());
        assert_eq!((still.level_with(noisy, 0.5), noisy.level_with(still, 0.5)), (1.0, 1.0));
        assert_eq!(still.level_with(still, 0.5), 0.5);
    }
}
