//! What a limit, a group or a link has let pass and refused.

use crate::telemetry::{FlowView, grown};

/// `up` and `down`, as labels call them.
pub(super) const DIRECTIONS: [&str; 2] = ["up", "down"];

/// `passed` and `excess`, as labels call them.
pub(super) const RESULTS: [&str; 2] = ["passed", "excess"];

/// Counters by direction and result, in the order of [`DIRECTIONS`] and [`RESULTS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals([[Tally; 2]; 2]);

/// Bytes and packets of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) bytes: u64,
    pub(super) packets: u64,
}

impl Totals {
    /// The counters of both directions.
    pub(super) fn new(up: &FlowView, down: &FlowView) -> Self {
        let results = |flow: &FlowView| {
            [
                Tally { bytes: flow.passed_bytes, packets: flow.passed_packets },
                Tally { bytes: flow.excess_bytes, packets: flow.excess_packets },
            ]
        };
        Self([results(up), results(down)])
    }

    /// All bytes, also those that were too much.
    pub(super) fn bytes(&self) -> u64 {
        self.0.as_flattened().iter().map(|tally| tally.bytes).sum()
    }

    /// Growth since `before`; of what is new, or has begun anew, everything.
    pub(super) fn since(&self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return *self };
        let mut growth = *self;
        for (now, before) in growth.0.as_flattened_mut().iter_mut().zip(before.0.as_flattened()) {
            now.bytes = grown(before.bytes, now.bytes);
            now.packets = grown(before.packets, now.packets);
        }
        growth
    }

    /// Adds counters.
    pub(super) fn add(&mut self, more: &Self) {
        for (sum, more) in self.0.as_flattened_mut().iter_mut().zip(more.0.as_flattened()) {
            sum.bytes += more.bytes;
            sum.packets += more.packets;
        }
    }

    /// Every counter with the values of its labels: direction and result.
    pub(super) fn labelled(&self) -> impl Iterator<Item = ([&'static str; 2], Tally)> {
        DIRECTIONS.into_iter().zip(self.0).flat_map(|(direction, results)| {
            let labelled = RESULTS.into_iter().zip(results);
            labelled.map(move |(result, tally)| ([direction, result], tally))
        })
    }
}

#[cfg(test)]
impl Totals {
    /// Only bytes that hosts have sent.
    pub(super) fn of_passed_bytes(bytes: u64) -> Self {
        let up = FlowView { passed_bytes: bytes, ..FlowView::default() };
        Self::new(&up, &FlowView::default())
    }
}
