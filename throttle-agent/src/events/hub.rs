//! Where events come together.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use utoipa::ToSchema;

use super::What;

/// Events that a listener may be behind before it loses some.
const BACKLOG: usize = 1024;

/// Events that are remembered for those who ask later.
const REMEMBERED: usize = 256;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number since the agent started, from 1 on: a gap means lost events.
    pub number: u64,
    /// When, in milliseconds since 1970, UTC.
    pub at_unix_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// Passes events on to everyone who listens, and remembers the last ones.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    past: Mutex<Past>,
}

#[derive(Debug, Default)]
struct Past {
    number: u64,
    lost: u64,
    events: VecDeque<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), past: Mutex::default() }
    }
}

impl Events {
    /// Tells what has just happened.
    pub fn publish(&self, what: What) {
        // Numbers go out in order.
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.number += 1;
        if let What::EventsLost { count } = what {
            past.lost += count;
        }
        tracing::debug!(number = past.number, "{} {what}", what.name());
        let event = Event { number: past.number, at_unix_ms: now_unix_ms(), what };
        if past.events.len() == REMEMBERED {
            past.events.pop_front();
        }
        past.events.push_back(event.clone());
        let _nobody_listens = self.sender.send(event);
    }

    /// The last events, oldest first, and all that follow.
    #[must_use]
    pub fn subscribe(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.events.iter().cloned().collect(), self.sender.subscribe())
    }

    /// How many events there have been.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.past.lock().unwrap_or_else(PoisonError::into_inner).number
    }

    /// How many were not told, since there were too many at once.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.past.lock().unwrap_or_else(PoisonError::into_inner).lost
    }
}

/// The time, in milliseconds since 1970, UTC.
#[must_use]
pub fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(count: u64) -> What {
        What::EventsLost { count }
    }

    #[test]
    fn listeners_hear_what_was_and_what_comes_without_a_gap() {
        let events = Events::default();
        events.publish(lost(1));
        let (past, mut receiver) = events.subscribe();
        events.publish(lost(2));
        let numbers = [past[0].number, receiver.try_recv().unwrap().number];
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let events = Events::default();
        (0..2 * REMEMBERED as u64).for_each(|count| events.publish(lost(count)));
        let (past, _) = events.subscribe();
        assert_eq!((past.len(), past[0].number), (REMEMBERED, REMEMBERED as u64 + 1));
        assert_eq!(events.count(), 2 * REMEMBERED as u64);
        assert_eq!(events.lost(), (0..2 * REMEMBERED as u64).sum::<u64>());
    }

    #[test]
    fn the_json_is_flat_and_names_its_units() {
        let what = What::TableHasRoom { tracked: 1, capacity: 2, overflowed_packets: 3 };
        let event = Event { number: 7, at_unix_ms: 1000, what };
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            serde_json::json!({"number": 7, "at_unix_ms": 1000, "event": "table_has_room",
                               "tracked": 1, "capacity": 2, "overflowed_packets": 3})
        );
    }
}
