//! Which limits are measured with which traffic.

use std::fmt;
use std::thread::available_parallelism;

use super::limiters::HostLimit;
use crate::router::End;
use crate::traffic::{Case, GBIT, MBIT, rate_argument};

/// The limits, in bits of layer 3 per second.
const LIMITS: [u64; 4] = [MBIT, 10 * MBIT, 100 * MBIT, GBIT];
/// Layer-3 bytes of the packets.
const PACKET_BYTES: [u64; 3] = [64, 512, 1500];
/// More packets of a limit per second than it is worth trying to offer.
const TOO_MANY_PACKETS: u64 = 1_000_000;

/// A row counts when at least this multiple of its limit is offered.
pub const LEAST_OFFERED: f64 = 1.25;

/// The most CPUs that send.
const MOST_CPUS: usize = 2;

/// The CPUs that send on this machine.
pub fn cpus() -> usize {
    available_parallelism().map_or(1, |count| count.get().min(MOST_CPUS))
}

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
    /// Every row that is worth trying, in the order of tables.
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
        packets_per_second as f64 * if packets_per_second < MANY { 2.0 } else { 1.5 }
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

/// Rows that are measured at once: as many in turn as so many CPUs that send up to `packets_per_second` each can offer.
pub fn batches(rows: &[Row], packets_per_second: f64, cpus: usize) -> Vec<Vec<Row>> {
    /// Rows count also where a CPU sends somewhat less than it has to.
    const MOST_LOAD: f64 = 1.05;
    /// Every host takes part in four cases.
    const MOST_ROWS: usize = 4 * 20;
    let mut batches: Vec<Vec<Row>> = Vec::new();
    for &row in rows {
        let fits = |batch: &&mut Vec<Row>| {
            let with_row = [&batch[..], &[row]].concat();
            let busiest = placed(&with_row, cpus).1.into_iter().fold(0.0, f64::max);
            with_row.len() <= MOST_ROWS && busiest <= MOST_LOAD * packets_per_second
        };
        match batches.last_mut().filter(fits) {
            Some(batch) => batch.push(row),
            None => batches.push(vec![row]),
        }
    }
    batches
}

/// The CPU that sends each row, or its first flow, so that all `cpus` have about as much to do; and the packets that
/// each has to send per second.
pub fn placed(rows: &[Row], cpus: usize) -> (Vec<usize>, Vec<f64>) {
    let mut loads = vec![0.0_f64; cpus];
    let place = |row: &Row| {
        let least_busy = (0..cpus).min_by(|&a, &b| loads[a].total_cmp(&loads[b])).unwrap_or(0);
        let senders = row.senders.cpus();
        for number in 0..senders {
            loads[(least_busy + number) % cpus] +=
                row.offered_packets_per_second() / senders as f64;
        }
        least_busy
    };
    let places = rows.iter().map(place).collect();
    (places, loads)
}

#[cfg(test)]
mod tests {
    use super::{Row, batches, placed};
    use crate::traffic::GBIT;

    #[test]
    fn batches_hold_every_row_once_and_are_no_more_than_two_cpus_send() {
        let rows = Row::all();
        let count = |packets_per_second| {
            let batches = batches(&rows, packets_per_second, 2);
            assert_eq!(batches.concat(), rows);
            for batch in &batches {
                let (places, loads) = placed(batch, 2);
                assert_eq!(places.len(), batch.len());
                let fits = loads.iter().all(|load| *load < 1.1 * packets_per_second);
                assert!(fits || batch.len() == 1, "{loads:?}: {batch:?}");
            }
            batches.len()
        };
        assert!(count(1e6) < count(5e5));
    }

    #[test]
    fn rows_leave_out_only_what_cannot_be_offered() {
        let rows = Row::all();
        assert_eq!(rows.len(), 4 * 3 * 3 * 4 - 3 * 4);
        assert!(rows.iter().all(|row| row.limit < GBIT || row.packet_bytes > 64));
    }
}
