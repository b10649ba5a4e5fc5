//! Packets that found no room: noted in the host, and told to the agent when a host begins to have some.

use super::{SEEN_TICK_NS, seen_word};
use crate::{cell::Cell, rate::TICKS_PER_SECOND, verdict::Reason};

/// When and why a packet of a host last found no room, as half a word: six bits for the reason, and the time
/// in units of 1.07 s.
///
/// Only excess is noted, whose reasons are not 0, so neither is the word; 0 stands for never. Times wrap with
/// [`seen_word`] and are compared by their distance from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastExcess(u32);

impl LastExcess {
    /// What one unit of time stands for, in nanoseconds.
    pub const TICK_NS: u64 = SEEN_TICK_NS << Self::SEEN_SHIFT;

    /// A host begins to exceed its limit when its last excess was at least so many units ago.
    const PAUSE: u32 = 2;

    /// A unit of time is two to the power of this of those of [`seen_word`].
    const SEEN_SHIFT: u32 = 6;
    const TIME_BITS: u32 = u32::BITS - Self::SEEN_SHIFT;
    const TIMES: u32 = 1 << Self::TIME_BITS;

    /// How far ahead of the agent's clock a word may be that was written after the agent read it, in units.
    const AHEAD: u32 = 16;

    /// An excess of the packet that was last seen at the time of a [`seen_word`]: the program has just written
    /// that, and need not read the clock again.
    #[inline(always)]
    #[must_use]
    pub const fn new(reason: Reason, last_seen: u32) -> Self {
        Self((reason as u32) << Self::TIME_BITS | last_seen >> Self::SEEN_SHIFT)
    }

    /// Reads the word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u32 {
        self.0
    }

    /// Whether the host begins to exceed its limit with this excess, `before` being the one before.
    #[inline(always)]
    #[must_use]
    pub const fn begins_after(self, before: Self) -> bool {
        before.0 == 0 || self.units_after(before) >= Self::PAUSE
    }

    /// The reason; `None` when there never was any excess.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self.0 >> Self::TIME_BITS {
            0 => None,
            number => Some(Reason::from_number(number)),
        }
    }

    /// Time since it happened, in nanoseconds, to a unit.
    #[must_use]
    pub const fn since_ns(self, now_ns: u64) -> u64 {
        let units = Self::new(Reason::Conforms, seen_word(now_ns)).units_after(self);
        if units >= Self::TIMES - Self::AHEAD { 0 } else { units as u64 * Self::TICK_NS }
    }

    #[inline(always)]
    const fn units_after(self, before: Self) -> u32 {
        self.0.wrapping_sub(before.0) & (Self::TIMES - 1)
    }
}

/// A host has begun to exceed its limit. Ring buffer `EVENTS`: written by the program, read by the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ExcessEvent {
    /// The two halves of the host's address, each in network order in memory.
    pub host: [u64; 2],
    /// [`Direction`](super::Direction) as a number.
    pub direction: u32,
    /// [`Reason`] as a number.
    pub reason: u32,
}

/// Size of ring buffer `EVENTS`, in bytes.
pub const EVENTS_BYTES: u32 = 256 * 1024;

/// Events that the program tells per second for long.
pub const EVENTS_PER_SECOND: u64 = 1000;

/// Events that the program tells at once.
pub const EVENT_BURST: u64 = 4000;

/// What keeps a flood from telling of each of its hosts. Map `EVENT_BUDGET`: array of one; changed by the
/// program, read by the agent through shared memory.
#[repr(C)]
pub struct EventBudget {
    /// Theoretical arrival time of the bucket of events, in ticks.
    pub tat: Cell,
    /// Events that were not told, since the budget was spent or the ring buffer full.
    pub lost: Cell,
    reserved: [u64; 6],
}

impl EventBudget {
    /// What an event costs, in ticks.
    pub const COST_TICKS: u64 = TICKS_PER_SECOND / EVENTS_PER_SECOND;

    /// Debt up to which events are told, in ticks.
    pub const BURST_TICKS: u64 = EVENT_BURST * Self::COST_TICKS;
}

const _: () = {
    assert!(size_of::<ExcessEvent>() == 24);
    assert!(size_of::<EventBudget>() == 64);
    assert!(Reason::COUNT <= 1 << (u32::BITS - LastExcess::TIME_BITS));
    assert!(EVENTS_BYTES.is_power_of_two());
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEVER: LastExcess = LastExcess::from_word(0);

    fn excesses() -> impl Strategy<Value = Reason> {
        let all: std::vec::Vec<_> =
            Reason::ALL.into_iter().filter(|reason| reason.is_excess()).collect();
        proptest::sample::select(all)
    }

    proptest! {
        #[test]
        fn reason_and_time_are_read_back_across_the_wrap(
            reason in excesses(), at_ns in 0..u64::MAX / 4, since_ns in 0..1_u64 << 55,
        ) {
            let noted = LastExcess::from_word(LastExcess::new(reason, seen_word(at_ns)).to_word());
            prop_assert_eq!(noted.reason(), Some(reason));
            let told_ns = noted.since_ns(at_ns + since_ns);
            prop_assert!(told_ns.abs_diff(since_ns) <= LastExcess::TICK_NS, "{told_ns} of {since_ns}");
        }

        #[test]
        fn an_excess_begins_after_a_pause_of_two_units_whatever_the_reasons(
            first in excesses(), second in excesses(), at in 0..1_u64 << 30, units in 0_u64..100,
        ) {
            let at_ns = at * LastExcess::TICK_NS;
            let before = LastExcess::new(first, seen_word(at_ns));
            let now = LastExcess::new(second, seen_word(at_ns + units * LastExcess::TICK_NS));
            prop_assert_eq!(now.begins_after(before), units >= 2);
            prop_assert!(now.begins_after(NEVER));
        }
    }

    #[test]
    fn what_happens_after_now_happens_now() {
        let noted = LastExcess::new(Reason::HostBytes, seen_word(5 * LastExcess::TICK_NS));
        assert_eq!(noted.since_ns(4 * LastExcess::TICK_NS), 0);
        assert_eq!(NEVER.reason(), None);
    }
}
