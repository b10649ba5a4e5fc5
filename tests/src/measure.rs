//! Measures what arrives in a namespace, from the IP layer's own input counters.
//!
//! Interface counters count a GSO packet once, with one header. The IP layer also counts the wire
//! packets inside (`In*ECT*Pkts`), which makes the layer-3 bytes on the wire exact.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::thread;
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
            thread::sleep(next.saturating_duration_since(Instant::now()));
            samples.push(self.sample()?);
        }
        Ok(samples)
    }
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
    use super::{line_field, table_field};

    #[test]
    fn counters_are_found_by_name() {
        let table = "Ip: A InReceives\nIp: 1 22\nIpExt: InOctets B\nIpExt: 333 4\n";
        assert_eq!(table_field(table, "Ip:", "InReceives").unwrap(), 22);
        assert_eq!(table_field(table, "IpExt:", "InOctets").unwrap(), 333);
        assert!(table_field(table, "Ip:", "InOctets").is_err());
        assert_eq!(line_field("Ip6InReceives \t 5\nIp6InOctets \t 6\n", "Ip6InOctets").unwrap(), 6);
    }
}
