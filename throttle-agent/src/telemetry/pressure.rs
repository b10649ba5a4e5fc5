//! Whether hosts find no room in the host table.

use super::HostsView;
use crate::events::What;

/// Samples without new packets of hosts without room after which the pressure has ended.
const QUIET_SAMPLES: u32 = 5;

/// Follows how many packets were charged to overflow buckets, from one sample to the next.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    overflowed: Option<u64>,
    /// Samples until the pressure has ended; 0 when there is none.
    remaining: u32,
    began_at: u64,
}

/// What a sample has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Hosts find no room any more.
    Begun,
    /// Hosts find room again.
    Ended {
        /// Packets charged to overflow buckets meanwhile.
        overflowed: u64,
    },
}

impl Pressure {
    /// Whether hosts find no room.
    pub(super) fn is_on(&self) -> bool {
        self.remaining > 0
    }

    /// Takes a sample; the first one only sets the mark, since it may be of days ago.
    pub(super) fn update(&mut self, overflowed: u64) -> Option<Event> {
        let before = self.overflowed.replace(overflowed)?;
        // The sum shrinks when a link is detached.
        if overflowed > before {
            let is_new = !self.is_on();
            self.remaining = QUIET_SAMPLES;
            if is_new {
                self.began_at = before;
            }
            return is_new.then_some(Event::Begun);
        }
        if !self.is_on() {
            return None;
        }
        self.remaining -= 1;
        let overflowed = overflowed.saturating_sub(self.began_at);
        (!self.is_on()).then_some(Event::Ended { overflowed })
    }
}

/// Writes an event to the log.
pub(super) fn log(event: Event, hosts: HostsView) {
    match event {
        Event::Begun => tracing::warn!(
            "the host table is under pressure: {hosts}; hosts without room are over-limited"
        ),
        Event::Ended { overflowed } => tracing::warn!(
            "the host table has room again: {hosts}, {overflowed} of them since the pressure began"
        ),
    }
}

/// The same event for everyone else who listens.
pub(super) fn tell(event: Event, HostsView { tracked, capacity, .. }: HostsView) -> What {
    match event {
        Event::Begun => What::TableFilling { tracked, capacity },
        Event::Ended { overflowed } => {
            What::TableHasRoom { tracked, capacity, overflowed_packets: overflowed }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(samples: &[u64]) -> Vec<(usize, Event)> {
        let mut pressure = Pressure::default();
        let found = samples.iter().enumerate();
        found.filter_map(|(at, &sample)| Some((at, pressure.update(sample)?))).collect()
    }

    #[test]
    fn growth_begins_it_and_five_quiet_samples_end_it() {
        assert_eq!(
            events(&[7, 7, 10, 10, 10, 10, 12, 12, 12, 12, 12, 12, 12]),
            [(2, Event::Begun), (11, Event::Ended { overflowed: 5 })]
        );
    }

    #[test]
    fn what_was_counted_before_the_first_sample_is_no_pressure() {
        assert_eq!(events(&[1_000_000, 1_000_000]), []);
    }

    #[test]
    fn a_link_that_is_detached_takes_its_counts_along() {
        assert_eq!(events(&[100, 0, 0]), []);
        assert_eq!(
            events(&[100, 101, 0, 0, 0, 0, 0]),
            [(1, Event::Begun), (6, Event::Ended { overflowed: 0 })]
        );
    }
}
