//! What limiters made of rows over several runs, and which of them was closest to the limit.

use super::batch::Arrival;
use super::matrix::{LEAST_OFFERED, Row};

/// How far from the limit ours may be, in percent.
pub const BAR_PERCENT: f64 = 0.5;
/// Two errors are level when they differ by no more than this, in percent of the limit, or by their spread.
pub const LEVEL_PERCENT: f64 = 0.1;

/// What one limiter made of one row.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Of each run in which enough was offered: how much more than the limit arrived, in percent of it.
    errors: Vec<f64>,
}

impl Outcome {
    /// Adds a run, if enough was offered in it.
    pub fn add(&mut self, row: &Row, arrival: Arrival) {
        let limit = row.limit as f64;
        if arrival.offered >= LEAST_OFFERED * limit {
            self.errors.push((arrival.arrived / limit - 1.0) * 100.0);
        }
    }

    /// The error and its spread; `None` if too little was offered in each run.
    pub fn error(&self) -> Option<PercentError> {
        let least = self.errors.iter().copied().reduce(f64::min)?;
        let most = self.errors.iter().copied().reduce(f64::max)?;
        let mean = self.errors.iter().sum::<f64>() / self.errors.len() as f64;
        Some(PercentError { mean, spread: (most - least) / 2.0, worst: most.max(-least) })
    }
}

/// An error in percent of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PercentError {
    /// The mean of all runs.
    pub mean: f64,
    /// Half the distance from the least run to the most.
    pub spread: f64,
    /// Of the run that was furthest off, whichever way.
    pub worst: f64,
}

impl PercentError {
    /// Whether every run is within the bar for ours.
    pub fn holds(self) -> bool {
        self.worst <= BAR_PERCENT
    }

    fn is_level_with(self, best: Self) -> bool {
        let margin = LEVEL_PERCENT.max(self.spread).max(best.spread);
        self.mean.abs() <= best.mean.abs() + margin
    }
}

impl std::fmt::Display for PercentError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Adding zero takes the sign off a zero.
        let rounded = |percent: f64| (percent * 100.0).round() / 100.0 + 0.0;
        write!(formatter, "{:+.2} ±{:.2}", rounded(self.mean), rounded(self.spread))
    }
}

/// Which of `errors` have the least error or are level with it.
pub fn best(errors: &[Option<PercentError>]) -> Vec<usize> {
    let by_size = |a: &PercentError, b: &PercentError| a.mean.abs().total_cmp(&b.mean.abs());
    let Some(best) = errors.iter().flatten().copied().min_by(by_size) else { return Vec::new() };
    let is_best = |error: &Option<PercentError>| error.is_some_and(|it| it.is_level_with(best));
    (0..errors.len()).filter(|&number| is_best(&errors[number])).collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, PercentError, best};
    use crate::accuracy::batch::Arrival;
    use crate::accuracy::matrix::Row;

    #[test]
    fn runs_count_where_enough_is_offered() {
        let row = Row::all()[0];
        let of_limit = |part: f64| part * row.limit as f64;
        let mut outcome = Outcome::default();
        outcome.add(&row, Arrival { offered: of_limit(1.2), arrived: of_limit(1.0) });
        assert_eq!(outcome.error(), None);
        for arrived in [0.998, 1.002, 1.003] {
            outcome.add(&row, Arrival { offered: of_limit(2.0), arrived: of_limit(arrived) });
        }
        let error = outcome.error().expect("three runs");
        assert!((error.mean - 0.1).abs() < 1e-6 && (error.spread - 0.25).abs() < 1e-6, "{error:?}");
        assert_eq!(error.to_string(), "+0.10 ±0.25");
        assert!(error.holds());
        outcome.add(&row, Arrival { offered: of_limit(2.0), arrived: of_limit(0.994) });
        assert!(!outcome.error().expect("four runs").holds(), "a run is beyond the bar");
    }

    #[test]
    fn the_best_are_those_within_the_spread_or_a_tenth_of_a_point() {
        let error = |mean, spread| Some(PercentError { mean, spread, worst: 0.0 });
        let errors =
            [error(0.05, 0.0), error(-0.14, 0.0), None, error(0.3, 0.3), error(-20.0, 0.0)];
        assert_eq!(best(&errors), [0, 1, 3]);
        assert_eq!(best(&[None, error(-30.0, 0.0)]), [1]);
        assert!(best(&[None]).is_empty());
    }
}
