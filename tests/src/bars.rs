//! Bars: what a measured rate must satisfy.

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use crate::exit_status::MISSED;
use crate::traffic::scaled;

/// What a measured value, in percent of its limit, must satisfy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// At most so many percent above or below the limit.
    Within(f64),
    /// At least so many percent of the limit.
    AtLeast(f64),
    /// At most so many percent of the limit.
    AtMost(f64),
}

impl Bar {
    /// Whether `percent` of the limit satisfies the bar.
    pub fn holds(self, percent: f64) -> bool {
        match self {
            Self::Within(tolerance) => (percent - 100.0).abs() <= tolerance,
            Self::AtLeast(least) => percent >= least,
            Self::AtMost(most) => percent <= most,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, percent) = match self {
            Self::Within(tolerance) => ("±", tolerance),
            Self::AtLeast(least) => (">= ", least),
            Self::AtMost(most) => ("<= ", most),
        };
        write!(formatter, "{sign}{} %", (percent * 100.0).round() / 100.0)
    }
}

/// A value held against its limit.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What was measured.
    pub what: String,
    /// The measured value.
    pub measured: f64,
    /// The limit.
    pub limit: f64,
    /// The unit of both.
    pub unit: &'static str,
    /// The bar.
    pub bar: Bar,
    /// What else is worth knowing.
    pub note: String,
}

impl Reading {
    /// Holds `measured` against `limit`.
    pub fn new(
        what: impl Into<String>,
        measured: f64,
        limit: f64,
        unit: &'static str,
        bar: Bar,
    ) -> Self {
        Self { what: what.into(), measured, limit, unit, bar, note: String::new() }
    }

    /// Adds what else is worth knowing.
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// The measured value in percent of the limit.
    pub fn percent(&self) -> f64 {
        self.measured / self.limit * 100.0
    }

    /// Whether the bar is satisfied.
    pub fn holds(&self) -> bool {
        self.bar.holds(self.percent())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, limit, unit, bar, note } = self;
        let (measured, limit) = (scaled(*measured, unit), scaled(*limit, unit));
        let percent = self.percent();
        write!(formatter, "{what}: {measured} of {limit}, {percent:.2} %, bar {bar} {note}")
    }
}

/// How a benchmark ends that has measured everything, with so many bars missed.
pub fn exit_code(missed: usize) -> ExitCode {
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISSED) }
}

/// Takes a measurement and panics unless every reading holds. A machine shared with others can spoil
/// one measurement: a miss is printed and measured once more.
pub fn assert_holds(mut measure: impl FnMut() -> Result<Vec<Reading>>) {
    let first = misses(&mut measure);
    if first.is_empty() {
        return;
    }
    println!("MISSED, measuring once more:\n{}", first.join("\n"));
    let second = misses(&mut measure);
    assert!(second.is_empty(), "missed twice:\n{}", second.join("\n"));
}

fn misses(measure: &mut impl FnMut() -> Result<Vec<Reading>>) -> Vec<String> {
    let readings = measure().unwrap_or_else(|error| panic!("{error:#}"));
    for reading in &readings {
        println!("{reading}");
    }
    readings.iter().filter(|reading| !reading.holds()).map(Reading::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[test]
    fn bars_include_their_edges() {
        assert!(Bar::Within(2.0).holds(98.0) && Bar::Within(2.0).holds(102.0));
        assert!(!Bar::Within(2.0).holds(97.9) && !Bar::Within(2.0).holds(102.1));
        assert!(Bar::AtLeast(93.0).holds(93.0) && !Bar::AtLeast(93.0).holds(92.9));
        assert!(Bar::AtMost(101.0).holds(101.0) && !Bar::AtMost(101.0).holds(101.1));
    }
}
