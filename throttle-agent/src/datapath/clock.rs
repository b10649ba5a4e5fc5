//! The clock that the program reads.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use nix::time::{ClockId, clock_gettime};

use crate::error::{Error, Kind, Result, ResultExt};

/// How far the clocks of a time namespace are ahead of the system's, see time_namespaces(7): of the one that
/// children of this process are to be in.
const OFFSETS: &str = "/proc/self/timens_offsets";
/// The time namespace of this process.
const OWN: &str = "/proc/self/ns/time";
/// That of its children: another one from unshare(2) on, until fork(2) or, on newer kernels, execve(2).
const OF_CHILDREN: &str = "/proc/self/ns/time_for_children";
/// The system's own: `PROC_TIME_INIT_INO` of linux/proc_ns.h.
const OF_SYSTEM: &str = "time:[4026531834]";

const NS_PER_SECOND: i128 = 1_000_000_000;

/// The system's monotonic clock: the program reads it whatever clock processes are shown.
pub(super) fn monotonic_ns() -> Result<u64> {
    static AHEAD_NS: OnceLock<i128> = OnceLock::new();
    let shown = clock_gettime(ClockId::CLOCK_MONOTONIC)
        .doing(Kind::Failed, || "reading the monotonic clock")?;
    let shown_ns = i128::from(shown.tv_sec()) * NS_PER_SECOND + i128::from(shown.tv_nsec());
    let ahead_ns = match AHEAD_NS.get() {
        Some(known) => known,
        None => {
            let found = ahead_ns()?;
            AHEAD_NS.get_or_init(|| found)
        }
    };
    Ok(u64::try_from(shown_ns - ahead_ns).unwrap_or_default())
}

/// How far this process's monotonic clock is ahead of the system's.
fn ahead_ns() -> Result<i128> {
    let own = present(OWN, fs::read_link)?;
    if own.as_deref().is_none_or(|own| own == Path::new(OF_SYSTEM)) {
        return Ok(0);
    }
    let of_children = present(OF_CHILDREN, fs::read_link)?;
    let offsets = present(OFFSETS, fs::read_to_string)?.unwrap_or_default();
    offset_ns(own, of_children, &offsets)
}

/// What is at `path`; `None` where the kernel has no time namespaces.
fn present<T>(
    path: &'static str,
    read: impl FnOnce(&'static str) -> io::Result<T>,
) -> Result<Option<T>> {
    match read(path) {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(Kind::Failed, || format!("reading {path}")),
    }
}

/// The offset of the monotonic clock in a time namespace, where the offsets are of that one.
fn offset_ns(own: Option<PathBuf>, of_children: Option<PathBuf>, offsets: &str) -> Result<i128> {
    if own == of_children {
        return Ok(monotonic_offset_ns(offsets));
    }
    Err(Error::failed(
        "comparing clocks: this process is in a time namespace whose offsets cannot be read, since its children are \
         to be in another one",
    )
    .hint("start the agent with `unshare --time --fork`, or in the system's time namespace"))
}

/// The offset of the monotonic clock out of lines such as `monotonic 86400 0`: seconds and nanoseconds.
fn monotonic_offset_ns(offsets: &str) -> i128 {
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
        assert_eq!(monotonic_offset_ns(offsets), 86_400_000_000_007);
        assert_eq!(monotonic_offset_ns("monotonic  -1  999999999\n"), -1);
        assert_eq!(monotonic_offset_ns(""), 0);
    }

    #[test]
    fn offsets_of_a_namespace_that_this_process_is_not_in_are_refused() {
        let [one, other] = ["time:[1]", "time:[2]"].map(|name| Some(PathBuf::from(name)));
        let offsets = "monotonic 5 0\n";
        assert_eq!(offset_ns(one.clone(), one.clone(), offsets).unwrap(), 5_000_000_000);
        let error = offset_ns(one, other, offsets).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--fork"), "{error}");
    }

    #[test]
    fn only_a_file_that_there_is_not_may_be_left_unread() {
        assert_eq!(present("/proc/self/nosuch", fs::read_link).unwrap(), None);
        let error = present("/proc/self/ns", fs::read_link).unwrap_err();
        assert!(error.to_string().starts_with("reading /proc/self/ns: "), "{error:#}");
    }

    #[test]
    fn it_does_not_go_back() {
        let first = monotonic_ns().unwrap();
        assert!(first > 0 && monotonic_ns().unwrap() >= first);
    }
}
