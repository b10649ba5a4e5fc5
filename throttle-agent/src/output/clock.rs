//! Times of day, in the time zone of whoever looks.

use std::mem::MaybeUninit;

use crate::events::now_unix_ms;

/// A time as `12:00:01`, with the date in front where that is not today's.
pub(super) fn time_of_day(at_unix_ms: u64) -> String {
    between(at_unix_ms / 1000, now_unix_ms() / 1000)
}

fn between(at_seconds: u64, now_seconds: u64) -> String {
    let (Some(at), Some(now)) = (local(at_seconds), local(now_seconds)) else {
        return format!("@{at_seconds}");
    };
    let time = format!("{:02}:{:02}:{:02}", at.tm_hour, at.tm_min, at.tm_sec);
    if (at.tm_year, at.tm_yday) == (now.tm_year, now.tm_yday) {
        return time;
    }
    format!("{}-{:02}-{:02} {time}", at.tm_year + 1900, at.tm_mon + 1, at.tm_mday)
}

/// The parts of a time in seconds since 1970; `None` where the year does not fit.
fn local(seconds: u64) -> Option<libc::tm> {
    // The type is that of the call below: libc has it as one that is about to change.
    let seconds = seconds.try_into().ok()?;
    let mut parts = MaybeUninit::uninit();
    // SAFETY: both pointers are of this function and of the right types.
    let written = unsafe { libc::localtime_r(&raw const seconds, parts.as_mut_ptr()) };
    if written.is_null() {
        return None;
    }
    // SAFETY: localtime_r writes all of it unless it returns null.
    Some(unsafe { parts.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_told_only_where_it_is_another_one() {
        let now = 1_800_000_000;
        assert_eq!(between(now, now).len(), "12:00:01".len());
        let before = between(now - 2 * 86_400, now);
        assert_eq!(before.len(), "2027-01-13 12:00:01".len());
        assert!(before.starts_with("2027-01-1"), "{before}");
        assert_eq!(between(u64::MAX, now), format!("@{}", u64::MAX));
    }
}
