//! What limiters made of rows over several runs, and which of them was closest to the limit.

use super::batch::Arrival;
use super::matrix::Row;
use super::runs::Runs;

/// How far from the limit ours may be, in percent.
pub const BAR_PERCENT: f64 = 0.5;
/// Two errors are level when their worst runs differ by no more than this, in percent of the limit.
pub const LEVEL_PERCENT: f64 = 0.1;

/// What one limiter made of one row.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    runs: usize,
    /// Of each run in which enough was offered: how much more than the limit arrived, in percent of it.
    errors: Vec<f64>,
}

impl Outcome {
    /// Adds a run.
    pub fn add(&mut self, row: &Row, arrival: Arrival) {
        self.runs += 1;
        if arrival.is_enough(row) {
            self.errors.push((arrival.arrived / row.limit as f64 - 1.0) * 100.0);
        }
    }

    /// The error; `None` if too little was offered in each run.
    pub fn error(&self) -> Option<PercentError> {
        Runs::of(self.errors.iter().copied()).map(PercentError)
    }

    /// Whether enough was offered in every run, and each is within the bar for ours.
    pub fn holds(&self) -> bool {
        self.errors.len() == self.runs && self.error().is_some_and(PercentError::holds)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (counted, runs) = (self.errors.len(), self.runs);
        match self.error() {
            None => formatter.write_str("not offered"),
            Some(error) if counted < runs => write!(formatter, "{error} ({counted} of {runs})"),
            Some(error) => error.fmt(formatter),
        }
    }
}

/// An error over runs, in percent of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PercentError(Runs);

impl PercentError {
    /// Of the run that was furthest off, whichever way.
    pub fn worst(self) -> f64 {
        self.0.worst_error(0.0)
    }

    /// Whether every run is within the bar for ours.
    pub fn holds(self) -> bool {
        self.worst() <= BAR_PERCENT
    }

    fn is_level_with(self, best: Self) -> bool {
        self.worst() - best.worst() <= LEVEL_PERCENT
    }
}

impl std::fmt::Display for PercentError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Adding zero takes the sign off a zero.
        let rounded = |percent: f64| (percent * 100.0).round() / 100.0 + 0.0;
        write!(formatter, "{:+.2} ±{:.2}", rounded(self.0.mean), rounded(self.0.spread()))
    }
}

/// Which of `errors` have the least error in their worst run or are level with that.
pub fn best(errors: &[Option<PercentError>]) -> Vec<usize> {
    let by_worst = |a: &PercentError, b: &PercentError| a.worst().total_cmp(&b.worst());
    let Some(best) = errors.iter().flatten().copied().min_by(by_worst) else { return Vec::new() };
    let is_best = |error: &Option<PercentError>| error.is_some_and(|it| it.is_level_with(best));
    (0..errors.len()).filter(|&number| is_best(&errors[number])).collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, PercentError, best};
    use crate::accuracy::batch::Arrival;
    use crate::accuracy::matrix::Row;
    use crate::accuracy::runs::Runs;

    #[test]
    fn runs_count_where_enough_is_offered() {
        let row = Row::all()[0];
        let of_limit = |part: f64| part * row.limit as f64;
        let mut outcome = Outcome::default();
        outcome.add(&row, Arrival { offered: of_limit(1.2), arrived: of_limit(1.0) });
        assert_eq!((outcome.error(), outcome.to_string().as_str()), (None, "not offered"));
        for arrived in [0.998, 1.002, 1.003] {
            outcome.add(&row, Arrival { offered: of_limit(2.0), arrived: of_limit(arrived) });
        }
        let error = outcome.error().expect("three runs");
        assert_eq!(outcome.to_string(), "+0.10 ±0.25 (3 of 4)");
        assert!(error.holds() && !outcome.holds(), "too little was offered in a run");
        outcome.add(&row, Arrival { offered: of_limit(2.0), arrived: of_limit(0.994) });
        assert!(!outcome.error().expect("four runs").holds(), "a run is beyond the bar");
    }

    #[test]
    fn the_best_are_those_whose_worst_run_is_within_a_tenth_of_a_point() {
        let error =
            |mean: f64, spread: f64| Runs::of([mean - spread, mean + spread]).map(PercentError);
        let errors =
            [error(0.05, 0.0), error(-0.14, 0.0), None, error(0.0, 0.3), error(-20.0, 0.0)];
        assert_eq!(
            best(&errors),
            [0, 1],
            "a limiter that errs now this way, now that way, is not exact"
        );
        assert_eq!(best(&[None, error(-30.0, 0.0)]), [1]);
        assert!(best(&[None]).is_empty());
    }
}
