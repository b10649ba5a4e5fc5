//! Which limits are measured with which traffic.

use std::fmt;

use super::limiters::HostLimit;
use crate::router::End;
use crate::traffic::{Case, GBIT, MBIT, rate_argument};

/// The limits, in bits of layer 3 per second.
const LIMITS: [u64; 4] = [MBIT, 10 * MBIT, 100 * MBIT, GBIT];
/// Layer-3 bytes of the packets.
const PACKET_BYTES: [u64; 3] = [64, 512, 1500];
/// More packets of a limit per second than this machine can offer.
const TOO_MANY_PACKETS: u64 = 1_000_000;

/// A row counts when at least this multiple of its limit is offered.
pub const LEAST_OFFERED: f64 = 1.5;

/// Who sends the traffic of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    /// One flow, from one CPU.
    OneFlow,
    /// Sixteen flows of one host, from one CPU.
    SixteenFlows,
    /// Two flows of one host, each from a CPU of its own, which meet at one bucket.
    TwoCpus,
}

impl Senders {
    const ALL: [Self; 3] = [Self::OneFlow, Self::SixteenFlows, Self::TwoCpus];

    /// The CPUs that send.
    pub const fn cpus(self) -> usize {
        match self {
            Self::OneFlow | Self::SixteenFlows => 1,
            Self::TwoCpus => 2,
        }
    }

    /// The flows from each of them.
    pub const fn flows_per_cpu(self) -> usize {
        match self {
            Self::OneFlow | Self::TwoCpus => 1,
            Self::SixteenFlows => 16,
        }
    }
}

impl fmt::Display for Senders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::OneFlow => "1 flow",
            Self::SixteenFlows => "16 flows",
            Self::TwoCpus => "2 CPUs",
        })
    }
}

/// A limit and the traffic that is held to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Bits of layer 3 per second.
    pub limit: u64,
    /// The layer-3 length of every packet.
    pub packet_bytes: u64,
    /// Who sends.
    pub senders: Senders,
    /// Direction and IP version.
    pub case: Case,
}

impl Row {
    /// Every row that this machine can offer, in the order of tables.
    pub fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for limit in LIMITS {
            for packet_bytes in PACKET_BYTES {
                for senders in Senders::ALL {
                    rows.extend(Case::ALL.map(|case| Self { limit, packet_bytes, senders, case }));
                }
            }
        }
        rows.retain(|row| row.limit_packets_per_second() < TOO_MANY_PACKETS);
        rows
    }

    const fn limit_packets_per_second(&self) -> u64 {
        self.limit / (self.packet_bytes * 8)
    }

    /// The packets per second that are offered: about twice the limit, somewhat less where packets are many.
    pub fn offered_packets_per_second(&self) -> f64 {
        const MANY: u64 = 50_000;
        let packets_per_second = self.limit_packets_per_second();
        packets_per_second as f64 * if packets_per_second < MANY { 2.0 } else { 1.7 }
    }

    /// About how much of one CPU it takes to send the row's packets, to route and to refuse them.
    pub fn load(&self) -> f64 {
        const PACKET_SECONDS: f64 = 0.9e-6;
        const BYTE_SECONDS: f64 = 0.4e-9;
        let packet_seconds = BYTE_SECONDS.mul_add(self.packet_bytes as f64, PACKET_SECONDS);
        self.offered_packets_per_second() * packet_seconds
    }

    /// The limit of this row as that of a host.
    pub const fn of_host(&self, host: End) -> HostLimit {
        HostLimit { host, case: self.case, bits_per_second: self.limit }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, packet_bytes, senders, case } = self;
        write!(formatter, "{}, {packet_bytes} B, {senders}, {case}", rate_argument(*limit))
    }
}

/// Rows that are measured at once: as many in turn as two CPUs can send.
pub fn batches(rows: &[Row]) -> Vec<Vec<Row>> {
    const MOST_LOAD: f64 = 1.4;
    /// Every host takes part in four cases.
    const MOST_ROWS: usize = 4 * 20;
    let mut batches: Vec<Vec<Row>> = Vec::new();
    let mut load = 0.0;
    for &row in rows {
        load += row.load();
        match batches.last_mut() {
            Some(batch) if load <= MOST_LOAD && batch.len() < MOST_ROWS => batch.push(row),
            _ => {
                batches.push(vec![row]);
                load = row.load();
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::{Row, batches};
    use crate::traffic::GBIT;

    #[test]
    fn batches_hold_every_row_once_and_are_no_more_than_two_cpus_send() {
        let rows = Row::all();
        let batches = batches(&rows);
        assert_eq!(batches.concat(), rows);
        for batch in batches {
            let load: f64 = batch.iter().map(Row::load).sum();
            assert!(load < 2.0 || batch.len() == 1, "{load}: {batch:?}");
        }
    }

    #[test]
    fn rows_leave_out_only_what_cannot_be_offered() {
        let rows = Row::all();
        assert_eq!(rows.len(), 4 * 3 * 3 * 4 - 3 * 4);
        assert!(rows.iter().all(|row| row.limit < GBIT || row.packet_bytes > 64));
    }
}
