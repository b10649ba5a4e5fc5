//! Prints what limiting costs a router that forwards the smallest packets, beside what other limiters cost it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use throttle_tests::bars::exit_code;
use throttle_tests::forwarding::{self, AMPLE_ROOM, Contestant, Effort, Load, Part, Row};
use throttle_tests::traffic::{Family, scaled};
use throttle_tests::{interrupt, table};

/// Benchmark of a forwarding router, in throw-away network namespaces; needs root.
#[derive(Parser)]
struct Options {
    /// Runs in which the limiters take turns; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Time that the processor runs in each turn, in seconds
    #[arg(long, default_value_t = 0.7)]
    seconds: f64,
    /// Only rows whose name contains this, such as "dropped, IPv4", "65536 sources" or "nft"; what they are
    /// compared with runs all the same
    #[arg(long, default_value = "")]
    only: String,
}

const SOURCES: &[u32] = &[1, 1 << 8, 1 << 16, 1 << 20];
const PARTS: [Part; 4] = [
    Part { family: Family::V4, load: Load::Pass, room: AMPLE_ROOM, sources: SOURCES },
    Part { family: Family::V6, load: Load::Pass, room: AMPLE_ROOM, sources: SOURCES },
    Part { family: Family::V4, load: Load::Excess, room: AMPLE_ROOM, sources: SOURCES },
    Part { family: Family::V4, load: Load::Excess, room: 1 << 16, sources: &[1 << 20] },
];

fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::run(|| bench(&options))
}

fn bench(options: &Options) -> Result<ExitCode> {
    let Options { runs, seconds, ref only } = *options;
    ensure!(
        (0.01..=60.0).contains(&seconds),
        "--seconds {seconds} is out of range: accepted: 0.01 to 60"
    );
    forwarding::leave_the_processor()?;
    let window = Duration::from_secs_f64(seconds);
    let effort = Effort { runs, window, only };
    let mut rows = Vec::new();
    for part in PARTS {
        let found = part.run(effort)?;
        if !found.is_empty() {
            print_part(part, &found);
        }
        rows.extend(found);
    }
    ensure!(
        !rows.is_empty(),
        "--only {only}: no row has that in its name; accepted: a part of a name such as \
         `{}, 256 sources, nft`",
        PARTS[0]
    );
    let failed = rows.iter().filter(|row| !row.is_in_force()).count();
    print_dearer(&rows);
    println!(
        "Medians of {runs} interleaved runs, each turn {seconds} s of running; {failed} of {} rows \
         not in force.",
        rows.len()
    );
    Ok(exit_code(failed))
}

fn print_part(part: Part, rows: &[Row]) {
    let reference = part.reference().name(part.load);
    println!("**{part}**\n");
    let against = format!("to {reference}");
    let header =
        ["sources", "limiter", "packets/s", "ns", "spread", &against, "above it ns", "arrived", ""];
    let mut table = table::markdown(&header, 2);
    for row in rows {
        table.add_row([
            row.sources.to_string(),
            row.contestant.name(part.load).into(),
            scaled(1e9 / row.ns_per_packet, ""),
            format!("{:.0}", row.ns_per_packet),
            format!("{:.1} %", row.spread_percent),
            format!("{:.3}", row.ratio),
            format!("{:+.0}", row.above_ns),
            format!("{:.2} %", row.arrived_percent),
            if row.is_in_force() { "" } else { "NOT IN FORCE" }.into(),
        ]);
    }
    println!("{table}\n");
}

/// Says where another limiter costs less than the throttler; with a full table they do different things.
fn print_dearer(rows: &[Row]) {
    let is_own = |row: &&Row| row.contestant == Contestant::Throttle && row.part.has_room();
    let own = rows.iter().filter(is_own);
    let (mut compared, mut dearer) = (0, Vec::new());
    for own in own {
        let is_rival = |row: &&Row| {
            row.contestant.is_limiter()
                && row.contestant != Contestant::Throttle
                && (row.part.to_string(), row.sources) == (own.part.to_string(), own.sources)
        };
        let rivals = rows.iter().filter(is_rival);
        let Some(best) = rivals.min_by(|a, b| a.above_ns.total_cmp(&b.above_ns)) else { continue };
        compared += 1;
        if best.above_ns < own.above_ns {
            let name = best.contestant.name(best.part.load);
            let less_ns = own.above_ns - best.above_ns;
            dearer
                .push(format!("{}, {} sources: {name}, by {less_ns:.0} ns", own.part, own.sources));
        }
    }
    println!(
        "Floods under which another limiter costs less than throttle: {} of {compared}.",
        dearer.len()
    );
    for line in dearer {
        println!("* {line}");
    }
}
