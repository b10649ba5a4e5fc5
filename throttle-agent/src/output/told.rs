//! Events and reports, one line or a few each.

use super::{
    CYAN, GREEN, RED,
    clock::time_of_day,
    format::{bits_per_second, bytes, nanoseconds, or_dash},
    paint,
};
use crate::{
    control::Told,
    events::{Event, Mood},
    trace::{Bandwidth, Debug, FlowReport, Load, Packets, Report},
};

/// Width of the longest kind.
const KIND: usize = "program_replaced".len();

/// Lines with the time, the kind and what there is to tell.
pub(super) fn lines(told: &Told, colored: bool) -> String {
    let (at_unix_ms, kind, texts) = match told {
        Told::Event(event) => {
            (event.at_unix_ms, kind(event, colored), vec![event.what.to_string()])
        }
        Told::Report(timed) => {
            let (name, texts) = match &timed.report {
                Report::Bandwidth(report) => ("bandwidth", bandwidth(report)),
                Report::Packets(report) => ("packets", vec![packets(report)]),
                Report::Load(report) => ("load", vec![load(report)]),
                Report::Debug(report) => ("debug", vec![debug(report)]),
            };
            (timed.at_unix_ms, format!("{name:KIND$}"), texts)
        }
    };
    let time = time_of_day(at_unix_ms);
    texts.iter().map(|text| format!("{time} {kind} {text}\n")).collect()
}

fn kind(event: &Event, colored: bool) -> String {
    let style = match event.what.mood() {
        Mood::Bad => RED,
        Mood::Good => GREEN,
        Mood::Plain => CYAN,
    };
    paint(style, &format!("{:KIND$}", event.what.name()), colored)
}

fn bandwidth(report: &Bandwidth) -> Vec<String> {
    let links = report.links.iter().map(|link| {
        let name = or_dash(link.interface.as_ref());
        (format!("link {name}"), String::new(), [link.up, link.down])
    });
    let hosts = report.hosts.iter().map(|host| {
        let limit = host.limit.map(|limit| format!("  limit {limit}")).unwrap_or_default();
        (format!("host {}", host.host), limit, [host.up, host.down])
    });
    let rows: Vec<_> = links.chain(hosts).collect();
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let line = |(name, limit, [up, down]): &(String, String, [FlowReport; 2])| {
        format!("{name:width$}  up {}  down {}{limit}", flow(up), flow(down))
    };
    rows.iter().map(line).collect()
}

/// What passed, the percent of the limit that it is, and the excess, in columns.
fn flow(flow: &FlowReport) -> String {
    let percent = flow.limit_percent.map(|percent| format!("{percent:.0}%"));
    let excess = flow.excess_bits_per_second.map(bits_per_second);
    let passed = bits_per_second(flow.passed_bits_per_second);
    format!("{passed:>8} {:>4} excess {:>8}", or_dash(percent), or_dash(excess))
}

fn packets(report: &Packets) -> String {
    let busy = report.packets_per_second.iter().filter(|(_, rate)| **rate > 0);
    let busy: Vec<_> = busy.map(|(reason, rate)| format!("{reason} {rate}/s")).collect();
    if busy.is_empty() { "none".to_owned() } else { busy.join("  ") }
}

fn load(load: &Load) -> String {
    format!(
        "cpu {:.1}%  memory {}  sample {}  hosts {}/{} ({:.1}%)  overflowed {}/s  requests {}/s",
        load.cpu_percent,
        bytes(load.resident_bytes),
        nanoseconds(load.sample_ns),
        load.hosts_tracked,
        load.hosts_capacity,
        load.hosts_percent,
        load.overflowed_packets_per_second,
        load.requests_per_second,
    )
}

fn debug(debug: &Debug) -> String {
    format!(
        "generation {}  limits {}  groups {}  hosts +{} -{}  events {}  lost {}  internal {}",
        debug.generation,
        debug.limits,
        debug.groups,
        debug.hosts_made,
        debug.hosts_expired,
        debug.events,
        debug.events_lost,
        debug.internal_packets,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        events::What,
        trace::{HostReport, TimedReport},
    };

    /// What stands behind the time.
    fn shown(told: &Told, colored: bool) -> Vec<String> {
        let text = lines(told, colored);
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    fn now(report: Report) -> Told {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Told::Report(TimedReport { report, at_unix_ms: since.as_millis() as u64 })
    }

    #[test]
    fn an_event_is_one_line_and_only_its_kind_is_coloured() {
        let Told::Report(TimedReport { at_unix_ms, .. }) = now(Report::Load(Load::default()))
        else {
            unreachable!()
        };
        let what = What::EventsLost { count: 3 };
        let told = Told::Event(Event { number: 1, at_unix_ms, what });
        assert_eq!(shown(&told, false), ["events_lost      3 events were not told"]);
        let colored = lines(&told, true);
        assert!(colored.contains("\x1b[1;31mevents_lost     \x1b[0m 3 events"), "{colored:?}");
    }

    #[test]
    fn bandwidth_stands_in_columns() {
        let busy = FlowReport {
            passed_bits_per_second: 9_876_543,
            excess_bits_per_second: Some(30_000_000),
            limit_percent: Some(98.8),
        };
        let host = |host: &str, down| HostReport {
            host: host.into(),
            limit: Some("10.0.0.0/24".parse().unwrap()),
            up: FlowReport::default(),
            down,
        };
        let report = Bandwidth {
            links: vec![],
            hosts: vec![host("10.0.0.7", busy), host("10.0.0.70", FlowReport::default())],
        };
        assert_eq!(
            shown(&now(Report::Bandwidth(report)), true),
            [
                "bandwidth        host 10.0.0.7   up     0bit    - excess        -  \
                 down 9.88mbit  99% excess 30.0mbit  limit 10.0.0.0/24",
                "bandwidth        host 10.0.0.70  up     0bit    - excess        -  \
                 down     0bit    - excess        -  limit 10.0.0.0/24",
            ]
        );
    }

    #[test]
    fn only_reasons_that_there_are_packets_of_are_told() {
        let rates = [("conforms".to_owned(), 0), ("host_bytes".to_owned(), 2500)];
        let report = Packets { packets_per_second: rates.into() };
        assert_eq!(
            shown(&now(Report::Packets(report)), false),
            ["packets          host_bytes 2500/s"]
        );
        let none = Report::Packets(Packets::default());
        assert_eq!(shown(&now(none), false), ["packets          none"]);
    }
}
