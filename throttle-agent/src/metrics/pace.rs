//! Keeps whoever can reach the port from keeping the agent busy.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Time between two turns in the long run.
const GAP: Duration = Duration::from_millis(2);

/// Turns that may be taken at once after a pause.
const BURST: u32 = 100;

/// Turns at a steady rate; whoever comes too early waits.
#[derive(Debug)]
pub(super) struct Pace {
    /// When all turns that were taken are paid for.
    paid: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { paid: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn that costs as much as `turns` of them.
    pub(super) async fn turn(&self, turns: u32) {
        let now = Instant::now();
        let begins = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let begins = *paid;
            *paid = begins.max(now) + GAP * turns;
            begins
        };
        let early = begins.saturating_duration_since(now);
        if let Some(wait) = early.checked_sub(GAP * BURST) {
            sleep_until(now + wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_the_rest_in_its_time() {
        let (pace, begun) = (Pace::new(), Instant::now());
        for _ in 0..=BURST {
            pace.turn(1).await;
        }
        assert!(begun.elapsed() <= GAP);
        for _ in 0..1000 {
            pace.turn(1).await;
        }
        let waited = begun.elapsed().abs_diff(GAP * 1000);
        assert!(waited <= 2 * GAP, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_costs_more_comes_less_often() {
        let (pace, begun) = (Pace::new(), Instant::now());
        for _ in 0..1000 {
            pace.turn(5).await;
        }
        assert!(begun.elapsed() >= GAP * (5 * 1000 - 5 - BURST));
    }
}
