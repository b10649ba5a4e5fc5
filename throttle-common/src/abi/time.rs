//! Times of hosts, in half a word each.
//!
//! They wrap after 2.3 years of uptime, so they are only ever compared by their distance from now. The agent
//! forgets idle hosts long before; a host with a limit of its own that is idle for longer seems to have been
//! seen later than it was.

/// What one unit of [`seen_word`] stands for, in nanoseconds: 16.8 ms. Words are odd, so they tell times
/// apart that are two units apart.
pub const SEEN_TICK_NS: u64 = 1 << SEEN_SHIFT;

const SEEN_SHIFT: u32 = 24;

/// How far ahead of the agent's clock a word may be that was written after the agent read it, in units: 17 s.
const AHEAD: u32 = 1 << 10;

/// The word for a time of the monotonic clock; never 0, which stands for never.
#[inline(always)]
#[must_use]
pub const fn seen_word(now_ns: u64) -> u32 {
    (now_ns >> SEEN_SHIFT) as u32 | 1
}

/// Time since a word was written, in nanoseconds; `None` when it never was.
#[must_use]
pub const fn since_seen_ns(word: u32, now_ns: u64) -> Option<u64> {
    if word == 0 {
        return None;
    }
    let units = seen_word(now_ns).wrapping_sub(word);
    let is_ahead = units > u32::MAX - AHEAD;
    Some(if is_ahead { 0 } else { units as u64 * SEEN_TICK_NS })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two units: what odd words tell apart.
    const STEP_NS: u64 = 2 * SEEN_TICK_NS;

    proptest! {
        #[test]
        fn a_time_is_told_to_a_step_across_the_wrap(seen_ns in 0..u64::MAX / 4, since_ns in 0..1_u64 << 54) {
            let told_ns = since_seen_ns(seen_word(seen_ns), seen_ns + since_ns).unwrap();
            prop_assert!(told_ns.abs_diff(since_ns) <= STEP_NS, "{told_ns} of {since_ns}");
        }

        #[test]
        fn what_comes_after_now_is_now(now_ns in 0..u64::MAX / 4, ahead_ns in 0..16_000_000_000_u64) {
            let told_ns = since_seen_ns(seen_word(now_ns + ahead_ns), now_ns);
            prop_assert_eq!(told_ns, Some(0));
        }
    }

    #[test]
    fn no_time_is_the_word_for_never() {
        assert_eq!(since_seen_ns(0, 1 << 40), None);
        for now_ns in [0, SEEN_TICK_NS << 32, u64::MAX] {
            assert_ne!(seen_word(now_ns), 0);
        }
    }
}
