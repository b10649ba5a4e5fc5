//! The clock that the program reads.

use std::{fs, sync::OnceLock};

use nix::time::{ClockId, clock_gettime};

use crate::error::{Kind, Result, ResultExt};

/// How far the clocks of this process's time namespace are ahead of the system's; see time_namespaces(7).
const OFFSETS: &str = "/proc/self/timens_offsets";

const NS_PER_SECOND: i128 = 1_000_000_000;

/// The system's monotonic clock: the program reads it whatever clock processes are shown.
pub(super) fn monotonic_ns() -> Result<u64> {
    static AHEAD_NS: OnceLock<i128> = OnceLock::new();
    let shown = clock_gettime(ClockId::CLOCK_MONOTONIC)
        .doing(Kind::Failed, || "reading the monotonic clock")?;
    let shown_ns = i128::from(shown.tv_sec()) * NS_PER_SECOND + i128::from(shown.tv_nsec());
    // A kernel without time namespaces has no such file.
    let ahead_ns =
        AHEAD_NS.get_or_init(|| ahead_ns(&fs::read_to_string(OFFSETS).unwrap_or_default()));
    Ok(u64::try_from(shown_ns - ahead_ns).unwrap_or_default())
}

/// The offset of the monotonic clock out of lines such as `monotonic 86400 0`: seconds and nanoseconds.
fn ahead_ns(offsets: &str) -> i128 {
    let lines = offsets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let offset = lines.filter(|words| words.first() == Some(&"monotonic")).find_map(|words| {
        let number = |index: usize| words.get(index)?.parse::<i128>().ok();
        Some(number(1)? * NS_PER_SECOND + number(2)?)
    });
    offset.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_that_of_the_monotonic_clock() {
        let offsets = "monotonic       86400         7\nboottime           -1         0\n";
        assert_eq!(ahead_ns(offsets), 86_400_000_000_007);
        assert_eq!(ahead_ns("monotonic  -1  999999999\n"), -1);
        assert_eq!(ahead_ns(""), 0);
    }

    #[test]
    fn it_does_not_go_back() {
        let first = monotonic_ns().unwrap();
        assert!(first > 0 && monotonic_ns().unwrap() >= first);
    }
}
