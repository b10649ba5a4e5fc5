//! Prints what becomes of hosts, memory, log and counters while millions of spoofed hosts flood the table.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use throttle_tests::attack::{Attack, Findings, HostRate};
use throttle_tests::bars::{Reading, exit_code};
use throttle_tests::traffic::{Family, scaled};
use throttle_tests::{interrupt, table};

/// Benchmark of the host table under attack, in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// Spoofed sources per IP version, all of which the program must see
    #[arg(long, default_value_t = 10_000_000)]
    sources: u32,
    /// How long to attack, or longer until it has seen them
    #[arg(long, default_value_t = 15)]
    seconds: u32,
}

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let attack = |family| {
        let Options { sources, seconds } = *options;
        let window = Duration::from_secs(seconds.into());
        let findings = Attack { family, sources, least_sources: sources, window }.run()?;
        for reading in &findings.readings {
            eprintln!("{reading}");
        }
        Ok((family, findings))
    };
    let findings = Family::ALL.into_iter().map(attack).collect::<Result<Vec<_>>>()?;
    print_attacks(&findings);
    print_rates(&findings);
    for (family, findings) in &findings {
        print_reasons(*family, findings);
        print_log(*family, &findings.log);
    }
    let readings: Vec<_> = findings.iter().flat_map(|(_, found)| &found.readings).collect();
    println!("{}", table::readings(readings.iter().copied()));
    let missed = readings.iter().filter(|reading: &&&Reading| !reading.holds()).count();
    println!("{} rows, {missed} missed", readings.len());
    Ok(exit_code(missed))
}

fn print_attacks(findings: &[(Family, Findings)]) {
    let header = ["attack", "IPv4", "IPv6"];
    let mut table = table::markdown(&header, 1);
    let mut row = |what: &str, value: &dyn Fn(&Findings) -> String| {
        let values = findings.iter().map(|(_, findings)| value(findings));
        table.add_row([what.to_owned()].into_iter().chain(values));
    };
    let per_second = |found: &Findings, packets: u64| {
        format!("{}/s", scaled(packets as f64 / found.seconds, "packet"))
    };
    row("sources", &|found| found.distinct.to_string());
    row("seconds", &|found| format!("{:.1}", found.seconds));
    row("packets sent", &|found| found.sent.to_string());
    row("sent per second", &|found| per_second(found, found.sent));
    row("processor seconds to send", &|found| format!("{:.1}", found.cpu_seconds));
    row("sent per processor second", &|found| {
        scaled(found.sent as f64 / found.cpu_seconds, "packet")
    });
    row("packets seen by the program", &|found| found.seen.to_string());
    row("hosts in the table, at most", &|found| found.tracked.to_string());
    row("room of the table", &|found| found.capacity.to_string());
    row("packets overflowed", &|found| found.overflowed.to_string());
    row("packets arrived at the server", &|found| found.arrived.to_string());
    let bytes = |bytes: u64| scaled(bytes as f64, "B");
    row("maps before", &|found| bytes(found.before.map_bytes));
    row("maps, at most", &|found| bytes(found.peak.map_bytes));
    row("agent resident before", &|found| bytes(found.before.resident_bytes));
    row("agent resident, at most", &|found| bytes(found.peak.resident_bytes));
    row("agent's own before", &|found| bytes(found.before.anonymous_bytes));
    row("agent's own, at most", &|found| bytes(found.peak.anonymous_bytes));
    row("lines in the log", &|found| found.log.len().to_string());
    println!("{table}\n");
}

fn print_rates(findings: &[(Family, Findings)]) {
    let header = ["attack", "host", "limit", "before", "mean", "worst second", "best second"];
    let mut table = table::markdown(&header, 2);
    for (family, findings) in findings {
        for HostRate { what, limit, before, mean, least, most } in &findings.rates {
            let percent = |rate: &f64| format!("{:.2} %", rate / *limit as f64 * 100.0);
            table.add_row([
                family.to_string(),
                what.clone(),
                scaled(*limit as f64, "bit/s"),
                before.as_ref().map_or_else(|| "-".into(), percent),
                percent(mean),
                percent(least),
                percent(most),
            ]);
        }
    }
    println!("{table}\n");
}

fn print_reasons(family: Family, findings: &Findings) {
    let reasons = findings.reasons.iter().map(|(name, count)| format!("{name} {count}"));
    println!("{family}, stats: {}", reasons.collect::<Vec<_>>().join(", "));
}

fn print_log(family: Family, lines: &[String]) {
    if lines.is_empty() {
        println!("{family}, log: nothing about the host table\n");
    } else {
        println!("{family}, log:\n{}\n", lines.join("\n"));
    }
}
