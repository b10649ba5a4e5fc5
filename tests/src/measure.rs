//! Measures what arrives in a namespace, from the IP layer's own input counters.
//!
//! Interface counters count a GSO packet once, with one header. The IP layer also counts the wire
//! packets inside (`In*ECT*Pkts`), which makes the layer-3 bytes on the wire exact.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::interrupt;
use crate::netns::Namespace;
use crate::traffic::{Family, Transport};

/// Totals at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When they were read.
    pub at: Instant,
    /// Layer-3 bytes as on the wire.
    pub bytes: u64,
    /// Packets as on the wire.
    pub packets: u64,
}

/// What arrived between two samples.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Layer-3 bits per second.
    pub bits_per_second: f64,
    /// Packets per second.
    pub packets_per_second: f64,
}

impl Sample {
    /// The mean rate from `earlier` to this sample.
    pub fn rate_since(&self, earlier: &Self) -> Rate {
        let seconds = (self.at - earlier.at).as_secs_f64();
        Rate {
            bits_per_second: (self.bytes - earlier.bytes) as f64 * 8.0 / seconds,
            packets_per_second: (self.packets - earlier.packets) as f64 / seconds,
        }
    }
}

/// Counts the packets of one IP version that a namespace receives.
#[derive(Debug)]
pub struct Meter {
    counters: Counters,
    /// What each further segment of a GSO packet adds on the wire.
    header_bytes: u64,
}

/// Open `/proc` files stay bound to the namespace in which they were opened.
#[derive(Debug)]
enum Counters {
    V4 { snmp: File, netstat: File },
    V6 { snmp6: File },
}

impl Meter {
    /// A meter for `namespace`; `transport` says which headers repeat in each segment.
    pub fn new(namespace: &Namespace, family: Family, transport: Transport) -> Result<Self> {
        let open = |name: &str| {
            let path = format!("/proc/thread-self/net/{name}");
            namespace.run(|| File::open(&path))?.with_context(|| format!("opening {path}"))
        };
        let counters = match family {
            Family::V4 => Counters::V4 { snmp: open("snmp")?, netstat: open("netstat")? },
            Family::V6 => Counters::V6 { snmp6: open("snmp6")? },
        };
        Ok(Self { counters, header_bytes: transport.header_bytes(family) })
    }

    /// Reads the counters.
    pub fn sample(&self) -> Result<Sample> {
        let at = Instant::now();
        let (received, bytes, packets) = match &self.counters {
            Counters::V4 { snmp, netstat } => {
                let (snmp, netstat) = (read(snmp)?, read(netstat)?);
                let extended = |name: &str| table_field(&netstat, "IpExt:", name);
                let packets = sum_by_mark(|mark| extended(&format!("In{mark}Pkts")))?;
                (table_field(&snmp, "Ip:", "InReceives")?, extended("InOctets")?, packets)
            }
            Counters::V6 { snmp6 } => {
                let snmp6 = read(snmp6)?;
                let field = |name: &str| line_field(&snmp6, name);
                let packets = sum_by_mark(|mark| field(&format!("Ip6In{mark}Pkts")))?;
                (field("Ip6InReceives")?, field("Ip6InOctets")?, packets)
            }
        };
        let repeated = packets.saturating_sub(received) * self.header_bytes;
        Ok(Sample { at, bytes: bytes + repeated, packets })
    }

    /// The mean rate over `window` from now.
    pub fn rate_over(&self, window: Duration) -> Result<Rate> {
        let first = self.sample()?;
        interrupt::sleep(window)?;
        Ok(self.sample()?.rate_since(&first))
    }

    /// Samples every `step` until `end`, the first one now.
    pub fn series(&self, step: Duration, end: Instant) -> Result<Vec<Sample>> {
        let mut samples = vec![self.sample()?];
        let start = samples[0].at;
        while samples[samples.len() - 1].at < end {
            let next = start + step * samples.len() as u32;
            interrupt::sleep(next.saturating_duration_since(Instant::now()))?;
            samples.push(self.sample()?);
        }
        Ok(samples)
    }
}

/// The mean rate from the moment within `edge` of the first sample to the one within `edge` of the last
/// at which the most of a burst at `bits_per_second` is spent.
///
/// TCP lets its bucket fill up again and again. A window that begins with a full bucket and ends with
/// an empty one has the whole burst on top of the rate, and the other way round it lacks as much.
pub fn rate_between_bursts(samples: &[Sample], bits_per_second: f64, edge: Duration) -> Rate {
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let (mut spent, mut start, mut end) = (0.0, (0.0, first), (0.0, last));
    for pair in samples.windows(2) {
        let [before, now] = [pair[0], pair[1]];
        let drained = (now.at - before.at).as_secs_f64() * bits_per_second;
        let arrived = (now.bytes - before.bytes) as f64 * 8.0;
        spent = f64::max(spent - drained, 0.0) + arrived;
        if spent > start.0 && now.at - first.at <= edge {
            start = (spent, now);
        }
        if spent > end.0 && last.at - now.at <= edge {
            end = (spent, now);
        }
    }
    end.1.rate_since(&start.1)
}

/// Wire packets are counted apart by their ECN field.
fn sum_by_mark(read: impl Fn(&str) -> Result<u64>) -> Result<u64> {
    ["NoECT", "ECT1", "ECT0", "CE"].into_iter().map(read).sum()
}

fn read(mut file: &File) -> Result<String> {
    let mut text = String::with_capacity(16384);
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// The number below `name` in the two-line table that starts with `title`.
fn table_field(text: &str, title: &str, name: &str) -> Result<u64> {
    let mut rows = text.lines().filter(|line| line.split_whitespace().next() == Some(title));
    let (names, values) = (rows.next().unwrap_or_default(), rows.next().unwrap_or_default());
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let value = pairs.find(|(found, _)| *found == name).map(|(_, value)| value);
    parse(value, name)
}

/// The number on the line that starts with `name`.
fn line_field(text: &str, name: &str) -> Result<u64> {
    let mut fields = text.lines().map(str::split_whitespace);
    let value = fields.find_map(|mut line| (line.next() == Some(name)).then(|| line.next())?);
    parse(value, name)
}

fn parse(value: Option<&str>, name: &str) -> Result<u64> {
    let value = value.with_context(|| format!("the kernel has no counter {name}"))?;
    value.parse().with_context(|| format!("counter {name}: {value}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Sample, line_field, rate_between_bursts, table_field};

    #[test]
    fn a_rate_is_taken_from_one_spent_burst_to_another() {
        let (start, step) = (Instant::now(), Duration::from_millis(100));
        // A burst of 4000 bytes at first, 1000 bytes in each step, and pauses which are made up for.
        let arrived = [0, 4000, 5000, 6000, 6000, 8000, 9000, 10_000, 10_000];
        let sample = |(number, bytes)| {
            let at = start + step * number as u32;
            Sample { at, bytes, packets: 0 }
        };
        let samples: Vec<_> = arrived.into_iter().enumerate().map(sample).collect();
        let rate = |edge| rate_between_bursts(&samples, 80_000.0, edge).bits_per_second;
        assert!((rate(2 * step) - 80_000.0).abs() < 1.0, "{}", rate(2 * step));
        assert!((rate(Duration::ZERO) - 100_000.0).abs() < 1.0, "{}", rate(Duration::ZERO));
    }

    #[test]
    fn counters_are_found_by_name() {
        let table = "Ip: A InReceives\nIp: 1 22\nIpExt: InOctets B\nIpExt: 333 4\n";
        assert_eq!(table_field(table, "Ip:", "InReceives").unwrap(), 22);
        assert_eq!(table_field(table, "IpExt:", "InOctets").unwrap(), 333);
        assert!(table_field(table, "Ip:", "InOctets").is_err());
        assert_eq!(line_field("Ip6InReceives \t 5\nIp6InOctets \t 6\n", "Ip6InOctets").unwrap(), 6);
    }
}
