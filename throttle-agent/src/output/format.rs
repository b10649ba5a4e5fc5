//! Measured figures for people: three digits and a unit.

use std::time::Duration;

const DECIMAL: [&str; 5] = ["", "k", "m", "g", "t"];

/// A measured rate, as in `9.87mbit`.
pub(crate) fn bits_per_second(value: u64) -> String {
    scaled(value, 1000, "bit")
}

/// A counted size, as in `1.21gb`.
pub(crate) fn bytes(value: u64) -> String {
    scaled(value, 1024, "b")
}

/// A measured count per second, as in `2.50k/s`.
pub(crate) fn per_second(value: u64) -> String {
    scaled(value, 1000, "/s")
}

/// What is set, or a dash.
pub(crate) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A time of less than a day or so, as in `1.25s`.
pub(crate) fn nanoseconds(value: u64) -> String {
    if value == 0 {
        return "0".to_owned();
    }
    // The rest of the program writes microseconds as tc(8) does.
    format!("{:.3?}", Duration::from_nanos(value)).replace('µ', "u")
}

/// A time since some event, as in `0.2s`, `3m12s` or `2d4h`.
pub(crate) fn seconds(value: f64) -> String {
    // Negative and absurd times become 0 and the largest one.
    let whole = value as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{:.1}s", value.max(0.0)),
        (0, 0, minutes) => format!("{minutes}m{}s", whole % 60),
        (0, hours, minutes) => format!("{hours}h{}m", minutes % 60),
        (days, hours, _) => format!("{days}d{}h", hours % 24),
    }
}

fn scaled(value: u64, base: u64, unit: &str) -> String {
    let mut step = 0;
    let mut divisor = 1;
    while step + 1 < DECIMAL.len() && value / divisor >= base {
        divisor *= base;
        step += 1;
    }
    // Only three digits are shown, of which a double keeps all.
    let shown = value as f64 / divisor as f64;
    let digits = match (step, shown) {
        (0, _) => 0,
        (_, ..10.0) => 2,
        (_, ..100.0) => 1,
        _ => 0,
    };
    format!("{shown:.digits$}{}{unit}", DECIMAL[step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        for (value, text) in [
            (0, "0bit"),
            (999, "999bit"),
            (1_000, "1.00kbit"),
            (9_876_543, "9.88mbit"),
            (98_765_432, "98.8mbit"),
            (400_000_000_000, "400gbit"),
            (u64::MAX, "18446744tbit"),
        ] {
            assert_eq!(bits_per_second(value), text);
        }
        assert_eq!(bytes(1536), "1.50kb");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(nanoseconds(0), "0");
        assert_eq!(nanoseconds(1_250_000), "1.250ms");
        assert_eq!(nanoseconds(1_250), "1.250us");
        for (value, text) in [
            (0.24, "0.2s"),
            (-1.0, "0.0s"),
            (192.0, "3m12s"),
            (3_700.0, "1h1m"),
            (187_200.0, "2d4h"),
        ] {
            assert_eq!(seconds(value), text);
        }
    }
}
